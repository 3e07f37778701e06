package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// The command "bucket" accepts the CORS rule in docs/files-of-users.md. The rule has the form that
// S3's console uses.
func TestBucketTakesTheCORSRuleOfThePage(t *testing.T) {
	s := newShell(t)
	bucket := newDirectoryAddress(t) + "/web"
	s.run("mb", bucket)

	// Cut the rule out of the page.
	page := readFile(t, "../../docs/files-of-users.md")
	const ruleStart = "[{\n  \"AllowedOrigins\""
	_, afterStart, found := strings.Cut(page, "```json\n"+ruleStart)
	require.True(t, found)
	ruleEnd, _, _ := strings.Cut(afterStart, "```")

	s.stdin = ruleStart + ruleEnd
	s.run("bucket", "--cors", "-", bucket) // reads the rule from s.stdin

	require.Contains(t, s.run("bucket", "--json", bucket),
		`"cors":[{"origins":["https://example.com"],"methods":["PUT"],`+
			`"allowedHeaders":["content-type","x-amz-checksum-crc32c"],"exposedHeaders":["ETag"],"maxAge":"1h0m0s"}]`)
	require.Regexp(t, `(?m)^cors +\{"origins":\["https://example.com"\]`, s.run("bucket", bucket))
}

// The flags of the command "bucket" accept the rules that "bucket --json" prints. Invalid rules
// change nothing.
func TestBucketTakesTheRulesThatItShows(t *testing.T) {
	s := newShell(t)
	bucket := newDirectoryAddress(t) + "/web"
	s.run("mb", bucket)

	// Set rules. The command "bucket" reads them from s.stdin.
	s.stdin = `[{"origins":["*"],"methods":["GET"],"maxAge":"90s"}]`
	s.run("bucket", "--cors", "-", bucket)
	s.stdin = `[{"id":"tmp","prefix":"tmp/","expireAfterDays":7}]`
	s.run("bucket", "--lifecycle", "-", bucket)
	settings := s.run("bucket", "--json", bucket)
	var rules struct{ CORS, Lifecycle json.RawMessage }
	require.NoError(t, json.Unmarshal([]byte(settings), &rules))

	// Remove the rules, and set them again from the output.
	s.run("bucket", "--cors", "none", "--lifecycle", "none", bucket)
	s.stdin = string(rules.CORS)
	s.run("bucket", "--cors", "-", bucket)
	s.stdin = string(rules.Lifecycle)
	s.run("bucket", "--lifecycle", "-", bucket)
	require.Equal(t, settings, s.run("bucket", "--json", bucket))

	// A duration must have a unit.
	s.stdin = `[{"origins":["*"],"methods":["GET"],"maxAge":3600}]`
	_, stderr := s.requireExit(exitUsage, "bucket", "--cors", "-", bucket)
	require.Contains(t, stderr, `with a unit, such as "1h"`)
	require.Equal(t, settings, s.run("bucket", "--json", bucket))
}
