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

// withRule returns the content of a configuration with one routing rule.
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

// A configuration that AWS would refuse is refused when it is decoded, or by Check.
func TestConfigurationRefused(t *testing.T) {
	tests := []struct {
		name     string
		document string
		code     string
	}{
		{
			name:     "a slash in the index",
			document: "<IndexDocument><Suffix>/index.html</Suffix></IndexDocument>",
			code:     "InvalidArgument",
		},
		{
			name:     "an empty index",
			document: "<IndexDocument><Suffix></Suffix></IndexDocument>",
			code:     "InvalidArgument",
		},
		{
			name:     "an index and a redirect",
			document: index + "<RedirectAllRequestsTo><HostName>h</HostName></RedirectAllRequestsTo>",
			code:     "InvalidArgument",
		},
		{name: "no index", document: "<ErrorDocument><Key>e</Key></ErrorDocument>", code: "InvalidArgument"},
		{
			name:     "another protocol",
			document: withRule("<Redirect><Protocol>ftp</Protocol></Redirect>"),
			code:     "InvalidRequest",
		},
		{
			name:     "two replacements",
			document: withRule("<Redirect><ReplaceKeyPrefixWith>a</ReplaceKeyPrefixWith><ReplaceKeyWith>b</ReplaceKeyWith></Redirect>"),
			code:     "InvalidRequest",
		},
		{
			name:     "an empty condition",
			document: withRule("<Condition/><Redirect><ReplaceKeyWith>b</ReplaceKeyWith></Redirect>"),
			code:     "InvalidRequest",
		},
		{
			name:     "a code that is no error",
			document: withRule("<Condition><HttpErrorCodeReturnedEquals>200</HttpErrorCodeReturnedEquals></Condition><Redirect/>"),
			code:     "InvalidRequest",
		},
		{
			name:     "a code that does not move",
			document: withRule("<Redirect><HttpRedirectCode>200</HttpRedirectCode></Redirect>"),
			code:     "InvalidRequest",
		},
		{name: "no rules", document: index + "<RoutingRules></RoutingRules>", code: "MalformedXML"},
		{
			name: "too many rules",
			document: index + "<RoutingRules>" + strings.Repeat("<RoutingRule><Redirect/></RoutingRule>",
				51) + "</RoutingRules>",
			code: "InvalidRequest",
		},
		{name: "an unknown element", document: index + "<Color/>", code: "MalformedXML"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c, err := decode(tt.document)
			if err == nil {
				err = c.Check()
			}
			require.True(t, s3error.Is(err, tt.code), "%v", err)
		})
	}
}

// Each kind of routing rule redirects as AWS does.
func TestRulesRedirect(t *testing.T) {
	const prefix, missing = "<KeyPrefixEquals>docs/</KeyPrefixEquals>", "<HttpErrorCodeReturnedEquals>404</HttpErrorCodeReturnedEquals>"
	redirectIf := func(condition, redirect string) string {
		return withRule("<Condition>" + condition + "</Condition><Redirect>" + redirect + "</Redirect>")
	}
	tests := []struct {
		name     string
		document string
		key      string
		status   int
		target   string // "" if no rule redirects the request
	}{
		{name: "no rules", document: index, key: "docs/a"},
		{
			name:     "a rule without a condition",
			document: withRule("<Redirect><ReplaceKeyWith>k</ReplaceKeyWith></Redirect>"),
			key:      "a",
			target:   "k",
		},
		{
			name:     "that rule after an error",
			document: withRule("<Redirect><ReplaceKeyWith>k</ReplaceKeyWith></Redirect>"),
			key:      "a",
			status:   404,
		},
		{
			name:     "another host only",
			document: withRule("<Redirect><HostName>h</HostName></Redirect>"),
			key:      "a",
			target:   "a",
		},
		{
			name:     "another prefix",
			document: redirectIf(prefix, "<ReplaceKeyPrefixWith>new/</ReplaceKeyPrefixWith>"),
			key:      "docs/a",
			target:   "new/a",
		},
		{
			name:     "an empty prefix",
			document: redirectIf(prefix, "<ReplaceKeyPrefixWith></ReplaceKeyPrefixWith>"),
			key:      "docs/a",
			target:   "a",
		},
		{
			name:     "a key without the prefix",
			document: redirectIf(prefix, "<ReplaceKeyWith>k</ReplaceKeyWith>"),
			key:      "a",
		},
		{
			name:     "an error",
			document: redirectIf(missing, "<ReplaceKeyWith>k</ReplaceKeyWith>"),
			key:      "a",
			status:   404,
			target:   "k",
		},
		{
			name:     "another error",
			document: redirectIf(missing, "<ReplaceKeyWith>k</ReplaceKeyWith>"),
			key:      "a",
			status:   403,
		},
		{name: "no error", document: redirectIf(missing, "<ReplaceKeyWith>k</ReplaceKeyWith>"), key: "a"},
		{
			name:     "an error of another prefix",
			document: redirectIf(prefix+missing, "<ReplaceKeyWith>k</ReplaceKeyWith>"),
			key:      "a",
			status:   404,
		},
		{
			name:     "an error of the same prefix",
			document: redirectIf(prefix+missing, "<ReplaceKeyPrefixWith>b</ReplaceKeyPrefixWith>"),
			key:      "docs/a",
			status:   404,
			target:   "ba",
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
			require.Equal(t, tt.target, target)
		})
	}
}
