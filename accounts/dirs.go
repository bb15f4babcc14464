package accounts

// DefaultDir is the configuration directory: KAIZEN_CONFIG_DIR, else "kaizen" in
// os.UserConfigDir.
func DefaultDir() (string, error) { return "", errPending }

// DefaultStateDir is where a program keeps what it learns while it runs:
// KAIZEN_STATE_DIR, else XDG_STATE_HOME/kaizen, else ~/.local/state/kaizen; on
// macOS ~/Library/Application Support/kaizen/state, on Windows
// %LocalAppData%\kaizen\state.
func DefaultStateDir() (string, error) { return "", errPending }
