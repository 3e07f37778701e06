package main

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
)

// playwright drives the browser. It comes without one of its own.
var playwright = npmModule{npmTool: npmTool{pkg: "playwright", entry: "playwright-core"}, node: 20}

// chromiumNames are what systems call the browser, the test system's own first.
var chromiumNames = []string{"chromium", "chromium-browser", "google-chrome-stable", "google-chrome"}

// findChromium is where a browser is, for tests that start it themselves: what
// $OMNIBUCKET_TEST_CHROMIUM names already, else one in the PATH.
func findChromium(ctx context.Context, module string) (launch, error) {
	if _, err := playwright.command(ctx, module); err != nil {
		return launch{}, err
	}
	program, err := lookChromium(os.Getenv("OMNIBUCKET_TEST_CHROMIUM"))
	if err != nil {
		return launch{}, err
	}
	return launch{
		url:       program,
		variables: map[string]string{"PLAYWRIGHT": filepath.Join(module, "index.mjs")},
	}, nil
}

func lookChromium(named string) (string, error) {
	if named != "" {
		return exec.LookPath(named)
	}
	for _, name := range chromiumNames {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", errors.New("chromium is missing: install Debian's package of that name, or set OMNIBUCKET_TEST_CHROMIUM to a Chromium or Chrome")
}
