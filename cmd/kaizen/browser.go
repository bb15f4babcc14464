package main

import (
	"errors"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
)

var errNoBrowser = errors.New("there is no screen to open a browser on")

// openBrowser shows an address to the person, where there is a screen. What it starts
// may outlive this program.
func openBrowser(address string) error {
	var cmd *exec.Cmd
	switch {
	case runtime.GOOS == "darwin":
		cmd = exec.Command("open", address)
	case runtime.GOOS == "windows":
		cmd = exec.Command("rundll32", "url.dll,FileProtocolHandler", address)
	case os.Getenv("DISPLAY") == "" && os.Getenv("WAYLAND_DISPLAY") == "":
		return errNoBrowser
	default:
		cmd = exec.Command("xdg-open", address)
	}
	cmd.Env = slices.DeleteFunc(os.Environ(), func(v string) bool {
		return strings.HasPrefix(v, "KAIZEN_") // passwords among them
	})
	if err := cmd.Start(); err != nil {
		return err
	}
	return cmd.Process.Release()
}
