package website_test

import (
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/s3server/internal/s3error"
	"github.com/omnibucket/storage/s3server/internal/website"
	"github.com/omnibucket/storage/s3server/internal/xmldoc"
)

const index = "<IndexDocument><Suffix>index.html</Suffix></IndexDocument>"

// withRule returns the content of a configuration that has one routing rule.
func withRule(rule string) string {
	return index + "<RoutingRules><RoutingRule>" + rule + "</RoutingRule></RoutingRules>"
}

// mustDecode decodes the content of a configuration.
func mustDecode(t *testing.T, document string) *website.Configuration {
	t.Helper()
	c, err := decode(document)
	require.NoError(t, err)
	return c
}

// decode parses a document.
func decode(document string) (*website.Configuration, error) {
	c := &website.Configuration{}
	return c, xmldoc.Parse([]byte("<WebsiteConfiguration>"+document+"</WebsiteConfiguration>"), c)
}

// A configuration that AWS would refuse is refused either by the decoder or by Check.
func TestConfigurationRefused(t *testing.T) {
	tests := []struct {
		name     string
		document string
		wantCode string
	}{
		{
			name:     "index with a slash",
			document: "<IndexDocument><Suffix>/index.html</Suffix></IndexDocument>",
			wantCode: "InvalidArgument",
		},
		{
			name:     "index empty",
			document: "<IndexDocument><Suffix></Suffix></IndexDocument>",
			wantCode: "InvalidArgument",
		},
		{
			name:     "index and redirect of all requests",
			document: index + "<RedirectAllRequestsTo><HostName>h</HostName></RedirectAllRequestsTo>",
			wantCode: "InvalidArgument",
		},
		{name: "index missing", document: "<ErrorDocument><Key>e</Key></ErrorDocument>", wantCode: "InvalidArgument"},
		{
			name:     "unknown protocol",
			document: withRule("<Redirect><Protocol>ftp</Protocol></Redirect>"),
			wantCode: "InvalidRequest",
		},
		{
			name:     "two replacements",
			document: withRule("<Redirect><ReplaceKeyPrefixWith>a</ReplaceKeyPrefixWith><ReplaceKeyWith>b</ReplaceKeyWith></Redirect>"),
			wantCode: "InvalidRequest",
		},
		{
			name:     "condition empty",
			document: withRule("<Condition/><Redirect><ReplaceKeyWith>b</ReplaceKeyWith></Redirect>"),
			wantCode: "InvalidRequest",
		},
		{
			name:     "condition on a status that is no error",
			document: withRule("<Condition><HttpErrorCodeReturnedEquals>200</HttpErrorCodeReturnedEquals></Condition><Redirect/>"),
			wantCode: "InvalidRequest",
		},
		{
			name:     "redirect with a status of another class",
			document: withRule("<Redirect><HttpRedirectCode>200</HttpRedirectCode></Redirect>"),
			wantCode: "InvalidRequest",
		},
		{name: "list of rules empty", document: index + "<RoutingRules></RoutingRules>", wantCode: "MalformedXML"},
		{
			name: "too many rules",
			document: index + "<RoutingRules>" + strings.Repeat("<RoutingRule><Redirect/></RoutingRule>",
				51) + "</RoutingRules>",
			wantCode: "InvalidRequest",
		},
		{name: "unknown element", document: index + "<Color/>", wantCode: "MalformedXML"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, err := decode(tt.document)
			if err == nil {
				err = c.Check()
			}
			require.True(t, s3error.Is(err, tt.wantCode), "%v", err)
		})
	}
}

// A routing rule redirects requests that meet its condition. The rule replaces the key or its prefix.
func TestRulesRedirect(t *testing.T) {
	const prefix = "<KeyPrefixEquals>docs/</KeyPrefixEquals>"
	const missing = "<HttpErrorCodeReturnedEquals>404</HttpErrorCodeReturnedEquals>"
	redirectIf := func(condition, redirect string) string {
		return withRule("<Condition>" + condition + "</Condition><Redirect>" + redirect + "</Redirect>")
	}
	tests := []struct {
		name       string
		document   string
		key        string
		status     int    // of the error that the request would get, or 0
		wantTarget string // "" if no rule redirects the request
	}{
		{name: "no rules", document: index, key: "docs/a"},
		{
			name:       "no condition",
			document:   withRule("<Redirect><ReplaceKeyWith>k</ReplaceKeyWith></Redirect>"),
			key:        "a",
			wantTarget: "k",
		},
		{
			name:     "no condition, after an error",
			document: withRule("<Redirect><ReplaceKeyWith>k</ReplaceKeyWith></Redirect>"),
			key:      "a",
			status:   404,
		},
		{
			name:       "other host",
			document:   withRule("<Redirect><HostName>h</HostName></Redirect>"),
			key:        "a",
			wantTarget: "a",
		},
		{
			name:       "prefix replaced",
			document:   redirectIf(prefix, "<ReplaceKeyPrefixWith>new/</ReplaceKeyPrefixWith>"),
			key:        "docs/a",
			wantTarget: "new/a",
		},
		{
			name:       "prefix removed",
			document:   redirectIf(prefix, "<ReplaceKeyPrefixWith></ReplaceKeyPrefixWith>"),
			key:        "docs/a",
			wantTarget: "a",
		},
		{
			name:     "key without the prefix",
			document: redirectIf(prefix, "<ReplaceKeyWith>k</ReplaceKeyWith>"),
			key:      "a",
		},
		{
			name:       "condition on the error",
			document:   redirectIf(missing, "<ReplaceKeyWith>k</ReplaceKeyWith>"),
			key:        "a",
			status:     404,
			wantTarget: "k",
		},
		{
			name:     "condition on another error",
			document: redirectIf(missing, "<ReplaceKeyWith>k</ReplaceKeyWith>"),
			key:      "a",
			status:   403,
		},
		{
			name:     "condition on an error, no error",
			document: redirectIf(missing, "<ReplaceKeyWith>k</ReplaceKeyWith>"),
			key:      "a",
		},
		{
			name:     "conditions on error and prefix, key without the prefix",
			document: redirectIf(prefix+missing, "<ReplaceKeyWith>k</ReplaceKeyWith>"),
			key:      "a",
			status:   404,
		},
		{
			name:       "conditions on error and prefix",
			document:   redirectIf(prefix+missing, "<ReplaceKeyPrefixWith>b</ReplaceKeyPrefixWith>"),
			key:        "docs/a",
			status:     404,
			wantTarget: "ba",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := mustDecode(t, tt.document)
			require.NoError(t, c.Check())
			target := ""
			if rule := c.Rule(tt.key, tt.status); rule != nil {
				target = rule.Target(tt.key)
			}
			require.Equal(t, tt.wantTarget, target)
		})
	}
}
