package main

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"path/filepath"
	"strconv"
	"strings"
)

// testTimeout is the longest time that a Go test may take. It is shorter than the timeout of its
// command, so that the test can still report its results when it times out.
const testTimeout = "15m"

// runMinioGo runs the functional tests of minio-go. They print one line of JSON for each test. The
// tests of SSE-C (encryption with the client's key) run only over TLS.
func runMinioGo(ctx context.Context, t task) ([]result, error) {
	env := []string{
		"SERVER_ENDPOINT=" + t.server.host(), "ACCESS_KEY=" + t.server.main.key, "SECRET_KEY=" + t.server.main.secret,
		"ENABLE_HTTPS=" + strconv.FormatBool(t.server.tls()), "SKIP_CERT_VALIDATION=" + strconv.FormatBool(t.server.tls()),
		"MINT_MODE=full",
		"RUN_ON_FAIL=1", // continue after a failed test
	}
	output, err := t.command(ctx, t.dir, env, t.suitePath)
	if err != nil {
		return nil, err
	}
	return readMinioGo(output)
}

// readMinioGo reads the results in the output of the tests of minio-go. Each result is a line of
// JSON. Other lines are ignored.
func readMinioGo(output []byte) ([]result, error) {
	statuses := map[string]status{"PASS": passed, "FAIL": failed, "NA": skipped}
	var results []result
	lines := bufio.NewScanner(bytes.NewReader(output))
	lines.Buffer(nil, 16<<20)
	for lines.Scan() {
		var line struct {
			Name, Function, Status, Alert, Message string
			Error                                  any
		}
		if json.Unmarshal(lines.Bytes(), &line) != nil || statuses[line.Status] == "" {
			continue // the line is not a result
		}
		reason := strings.TrimSpace(line.Message + " " + line.Alert)
		if line.Error != nil {
			reason += fmt.Sprintf(": %v", line.Error)
		}
		if line.Status == "PASS" {
			reason = ""
		}
		name := strings.TrimPrefix(line.Name, "minio-go: ")
		results = append(results, result{test: name, status: statuses[line.Status], reason: oneLine(reason)})
	}
	return results, lines.Err()
}

// runS5cmd runs the end-to-end tests of s5cmd. They build s5cmd from their parent directory.
func runS5cmd(ctx context.Context, t task) ([]result, error) {
	env := []string{
		"S5CMD_TEST_ENDPOINT_URL=" + t.server.url, "S5CMD_ACCESS_KEY_ID=" + t.server.main.key, "S5CMD_SECRET_ACCESS_KEY=" + t.server.main.secret,
		"S5CMD_REGION=us-east-1", "S5CMD_IS_VIRTUAL_HOST=false", "S5CMD_I_KNOW_WHAT_IM_DOING=1",
		"S5CMD_BUILD_BINARY_WITHOUT_RACE_FLAG=1", "GOFLAGS=-buildvcs=false",
	}
	dir := filepath.Dir(t.suitePath)
	return t.goTests(ctx, dir, env)
}

// runRclone runs the tests of rclone's backend for S3. It uses rclone's settings for a server that
// rclone does not know.
func runRclone(ctx context.Context, t task) ([]result, error) {
	source, err := t.module.download(ctx) // the tests read files in this directory
	if err != nil {
		return nil, err
	}
	env := []string{
		"RCLONE_CONFIG=" + filepath.Join(t.dir, "rclone.conf"),
		"RCLONE_CONFIG_JUDGED_TYPE=s3", "RCLONE_CONFIG_JUDGED_PROVIDER=Other", "RCLONE_CONFIG_JUDGED_ENDPOINT=" + t.server.url,
		"RCLONE_CONFIG_JUDGED_ACCESS_KEY_ID=" + t.server.main.key, "RCLONE_CONFIG_JUDGED_SECRET_ACCESS_KEY=" + t.server.main.secret,
		"RCLONE_CONFIG_JUDGED_REGION=us-east-1", "RCLONE_CA_CERT=" + t.server.certificate, "AWS_CA_BUNDLE=",
		// With this setting, rclone reports the error BucketAlreadyExists. A server must send this
		// error only for a bucket of another user.
		"RCLONE_CONFIG_JUDGED_USE_ALREADY_EXISTS=true",
	}
	dir := filepath.Join(source, "backend", "s3")
	return t.goTests(ctx, dir, env, "-remote", "JUDGED:")
}
