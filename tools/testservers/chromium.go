package main

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
)

// playwright is the Node.js module that controls the browser. It is installed without a browser of
// its own.
var playwright = npmModule{npmTool: npmTool{pkg: "playwright", entry: "playwright-core"}, node: 20}

// chromiumNames lists the names under which the browser may be installed. The test system has the
// first one.
var chromiumNames = []string{"chromium", "chromium-browser", "google-chrome-stable", "google-chrome"}

// findChromium returns the path of the browser, which tests start themselves. It is
// $OMNIBUCKET_TEST_CHROMIUM if that variable is set. Otherwise it is a browser in the PATH.
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

// lookChromium returns the path of the named browser, or of the first known browser in the PATH if name
// is "".
func lookChromium(name string) (string, error) {
	if name != "" {
		return exec.LookPath(name)
	}
	for _, name := range chromiumNames {
		if path, err := exec.LookPath(name); err == nil {
			return path, nil
		}
	}
	return "", errors.New(
		"chromium is missing: install Debian's package chromium, or set OMNIBUCKET_TEST_CHROMIUM to the path of Chromium or Chrome",
	)
}
