"""What any graph whose nodes have `parents` says: walks, copies, separating sets, names."""
