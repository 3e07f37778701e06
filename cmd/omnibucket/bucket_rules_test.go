package main

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// A bucket accepts the CORS rule that the page for browsers prints in the form of S3's console.
func TestBucketTakesTheCORSRuleOfThePage(t *testing.T) {
	s := newShell(t)
	bucket := newDirectoryAddress(t) + "/web"
	s.ok("mb", bucket)
	page, err := os.ReadFile("../../docs/files-of-users.md")
	require.NoError(t, err)
	_, rest, ok := strings.Cut(string(page), "```json\n[{\n  \"AllowedOrigins\"")
	require.True(t, ok)
	rest, _, _ = strings.Cut(rest, "```")
	s.in = `[{"AllowedOrigins"` + rest

	s.ok("bucket", "--cors", "-", bucket)
	require.Contains(t, s.ok("bucket", "--json", bucket),
		`"cors":[{"origins":["https://example.com"],"methods":["PUT"],"allowedHeaders":["content-type","x-amz-checksum-crc32c"],"exposedHeaders":["ETag"],"maxAge":"1h0m0s"}]`)
	require.Regexp(t, `(?m)^cors +\{"origins":\["https://example.com"\]`, s.ok("bucket", bucket))
}

// The rules that bucket --json prints can be given back to its flags.
func TestBucketTakesTheRulesThatItShows(t *testing.T) {
	s := newShell(t)
	bucket := newDirectoryAddress(t) + "/web"
	s.ok("mb", bucket)
	s.in = `[{"origins":["*"],"methods":["GET"],"maxAge":"90s"}]`
	s.ok("bucket", "--cors", "-", bucket)
	s.in = `[{"id":"tmp","prefix":"tmp/","expireAfterDays":7}]`
	s.ok("bucket", "--lifecycle", "-", bucket)
	rules := s.ok("bucket", "--json", bucket)
	var info map[string]json.RawMessage
	require.NoError(t, json.Unmarshal([]byte(rules), &info))
	s.ok("bucket", "--cors", "none", "--lifecycle", "none", bucket)
	for _, rules := range []string{"cors", "lifecycle"} {
		s.in = string(info[rules])
		s.ok("bucket", "--"+rules, "-", bucket)
	}

	require.Equal(t, rules, s.ok("bucket", "--json", bucket))
	s.in = `[{"origins":["*"],"methods":["GET"],"maxAge":3600}]`
	_, stderr := s.exits(2, "bucket", "--cors", "-", bucket)
	require.Contains(t, stderr, `with a unit, such as "1h"`)
	require.Equal(t, rules, s.ok("bucket", "--json", bucket))
}
