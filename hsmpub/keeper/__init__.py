"""The keeper: alone commands the HSM, has no network, and checks everything itself over the exact bytes."""
