package main

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A bucket accepts the CORS rule on the page for browsers, which has the form of S3's console.
func TestBucketTakesTheCORSRuleOfThePage(t *testing.T) {
	s := newShell(t)
	bucket := newDirectoryAddress(t) + "/web"
	s.ok("mb", bucket)

	// Cut the rule out of the page.
	page := readFile(t, "../../docs/files-of-users.md")
	const ruleStart = "[{\n  \"AllowedOrigins\""
	_, afterStart, found := strings.Cut(page, "```json\n"+ruleStart)
	require.True(t, found)
	ruleEnd, _, _ := strings.Cut(afterStart, "```")

	s.in = ruleStart + ruleEnd
	s.ok("bucket", "--cors", "-", bucket) // reads the rule from s.in

	require.Contains(t, s.ok("bucket", "--json", bucket),
		`"cors":[{"origins":["https://example.com"],"methods":["PUT"],`+
			`"allowedHeaders":["content-type","x-amz-checksum-crc32c"],"exposedHeaders":["ETag"],"maxAge":"1h0m0s"}]`)
	require.Regexp(t, `(?m)^cors +\{"origins":\["https://example.com"\]`, s.ok("bucket", bucket))
}

// The flags of bucket accept the rules that bucket --json prints. Invalid rules change nothing.
func TestBucketTakesTheRulesThatItShows(t *testing.T) {
	s := newShell(t)
	bucket := newDirectoryAddress(t) + "/web"
	s.ok("mb", bucket)

	// Set rules, which bucket reads from s.in.
	s.in = `[{"origins":["*"],"methods":["GET"],"maxAge":"90s"}]`
	s.ok("bucket", "--cors", "-", bucket)
	s.in = `[{"id":"tmp","prefix":"tmp/","expireAfterDays":7}]`
	s.ok("bucket", "--lifecycle", "-", bucket)
	settings := s.ok("bucket", "--json", bucket)
	var rules struct{ CORS, Lifecycle json.RawMessage }
	require.NoError(t, json.Unmarshal([]byte(settings), &rules))

	// Remove the rules, and set them again from the output.
	s.ok("bucket", "--cors", "none", "--lifecycle", "none", bucket)
	s.in = string(rules.CORS)
	s.ok("bucket", "--cors", "-", bucket)
	s.in = string(rules.Lifecycle)
	s.ok("bucket", "--lifecycle", "-", bucket)
	require.Equal(t, settings, s.ok("bucket", "--json", bucket))

	// A duration must have a unit.
	s.in = `[{"origins":["*"],"methods":["GET"],"maxAge":3600}]`
	_, stderr := s.exits(exitUsage, "bucket", "--cors", "-", bucket)
	require.Contains(t, stderr, `with a unit, such as "1h"`)
	require.Equal(t, settings, s.ok("bucket", "--json", bucket))
}
