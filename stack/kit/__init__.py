"""The bundle for rooms without internet: one folder with the project, all wheels and the programs it runs."""
