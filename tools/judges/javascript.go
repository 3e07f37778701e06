package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"embed"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
)

//go:embed javascript
var javaScript embed.FS

// javaScriptFiles lists the files of the suite, without the packages that npm installs.
var javaScriptFiles = []string{"package.json", "package-lock.json", "s3.test.mjs", "minio.test.mjs"}

// prepareJavaScript installs the AWS SDK for JavaScript and minio-js with the versions of the lock
// file. It does not run the scripts of packages.
func prepareJavaScript(ctx context.Context) (string, error) {
	hash := sha256.New()
	contents := map[string][]byte{}
	for _, name := range javaScriptFiles {
		content, err := javaScript.ReadFile("javascript/" + name)
		if err != nil {
			return "", err
		}
		contents[name] = content
		hash.Write(content)
	}
	return ensureCached(
		ctx, fmt.Sprintf("javascript-%x", hash.Sum(nil)[:8]),
		func(ctx context.Context, dir string) error {
			for name, content := range contents {
				if err := os.WriteFile(filepath.Join(dir, name), content, 0o644); err != nil {
					return err
				}
			}
			c := exec.CommandContext(ctx, "npm", "ci", "--ignore-scripts", "--prefer-offline", "--no-audit",
				"--no-fund", "--loglevel=error")
			c.Dir = dir
			c.Stdout = os.Stderr
			c.Stderr = os.Stderr
			if err := c.Run(); err != nil {
				return fmt.Errorf("npm ci, which needs Node.js 20 or later: %w", err)
			}
			return nil
		},
	)
}

// runJavaScript runs our own short tests with the AWS SDK for JavaScript and minio-js.
func runJavaScript(ctx context.Context, t task) ([]result, error) {
	output, err := t.command(
		ctx, t.suitePath, nil, "node", "--test", "--test-reporter=tap", "s3.test.mjs", "minio.test.mjs",
	)
	if err != nil {
		return nil, err
	}
	return readTAP(output), nil
}

var (
	tapLine  = regexp.MustCompile(`^ *(not )?ok \d+ - (.*?)( # SKIP.*)?$`)
	tapError = regexp.MustCompile(`^ *error: (.*)$`)
)

// readTAP reads results in the format of the Test Anything Protocol.
func readTAP(output []byte) []result {
	var results []result
	lines := bufio.NewScanner(bytes.NewReader(output))
	for lines.Scan() {
		if match := tapLine.FindStringSubmatch(lines.Text()); match != nil {
			not, name, skip := match[1], match[2], match[3]
			results = append(results, result{test: name, status: tapStatus(not, skip)})
			continue
		}

		match := tapError.FindStringSubmatch(lines.Text())
		if match == nil || len(results) == 0 {
			continue
		}
		last := &results[len(results)-1]
		if last.status == failed && last.reason == "" {
			last.reason = oneLine(match[1])
		}
	}
	return results
}

// tapStatus returns the status of a line that begins with not, or ends with skip, if these are not "".
func tapStatus(not, skip string) status {
	if not != "" {
		return failed
	}
	if skip != "" {
		return skipped
	}
	return passed
}
