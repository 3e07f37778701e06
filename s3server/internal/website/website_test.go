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

func ruled(rule string) string {
	return index + "<RoutingRules><RoutingRule>" + rule + "</RoutingRule></RoutingRules>"
}

func parse(t *testing.T, document string) *website.Configuration {
	c, err := parsed(document)
	require.NoError(t, err)
	return c
}

func parsed(document string) (*website.Configuration, error) {
	c := &website.Configuration{}
	return c, xmldoc.Parse([]byte("<WebsiteConfiguration>"+document+"</WebsiteConfiguration>"), c)
}

// Parsing refuses these website configurations.
func TestConfigurationRefused(t *testing.T) {
	tests := map[string]struct{ document, code string }{
		"a slash in the index":      {"<IndexDocument><Suffix>/index.html</Suffix></IndexDocument>", "InvalidArgument"},
		"an empty index":            {"<IndexDocument><Suffix></Suffix></IndexDocument>", "InvalidArgument"},
		"an index and a redirect":   {index + "<RedirectAllRequestsTo><HostName>h</HostName></RedirectAllRequestsTo>", "InvalidArgument"},
		"no index":                  {"<ErrorDocument><Key>e</Key></ErrorDocument>", "InvalidArgument"},
		"another protocol":          {ruled("<Redirect><Protocol>ftp</Protocol></Redirect>"), "InvalidRequest"},
		"two replacements":          {ruled("<Redirect><ReplaceKeyPrefixWith>a</ReplaceKeyPrefixWith><ReplaceKeyWith>b</ReplaceKeyWith></Redirect>"), "InvalidRequest"},
		"an empty condition":        {ruled("<Condition/><Redirect><ReplaceKeyWith>b</ReplaceKeyWith></Redirect>"), "InvalidRequest"},
		"a code that is no error":   {ruled("<Condition><HttpErrorCodeReturnedEquals>200</HttpErrorCodeReturnedEquals></Condition><Redirect/>"), "InvalidRequest"},
		"a code that does not move": {ruled("<Redirect><HttpRedirectCode>200</HttpRedirectCode></Redirect>"), "InvalidRequest"},
		"no rules":                  {index + "<RoutingRules></RoutingRules>", "MalformedXML"},
		"too many rules":            {index + "<RoutingRules>" + strings.Repeat("<RoutingRule><Redirect/></RoutingRule>", 51) + "</RoutingRules>", "InvalidRequest"},
		"an unknown element":        {index + "<Color/>", "MalformedXML"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c, err := parsed(tt.document)
			if err == nil {
				err = c.Check()
			}
			require.True(t, s3error.Is(err, tt.code))
		})
	}
}

// Each kind of routing rule redirects as AWS does.
func TestRulesRedirect(t *testing.T) {
	const prefix, missing = "<KeyPrefixEquals>docs/</KeyPrefixEquals>", "<HttpErrorCodeReturnedEquals>404</HttpErrorCodeReturnedEquals>"
	redirectIf := func(condition, redirect string) string {
		return ruled("<Condition>" + condition + "</Condition><Redirect>" + redirect + "</Redirect>")
	}
	tests := map[string]struct {
		document string
		key      string
		status   int
		target   string // "" if no rule redirects the request
	}{
		"no rules":                   {document: index, key: "docs/a"},
		"a rule without a condition": {document: ruled("<Redirect><ReplaceKeyWith>k</ReplaceKeyWith></Redirect>"), key: "a", target: "k"},
		"that rule after an error":   {document: ruled("<Redirect><ReplaceKeyWith>k</ReplaceKeyWith></Redirect>"), key: "a", status: 404},
		"another host only":          {document: ruled("<Redirect><HostName>h</HostName></Redirect>"), key: "a", target: "a"},
		"another prefix": {
			document: redirectIf(prefix, "<ReplaceKeyPrefixWith>new/</ReplaceKeyPrefixWith>"),
			key:      "docs/a",
			target:   "new/a",
		},
		"an empty prefix":            {document: redirectIf(prefix, "<ReplaceKeyPrefixWith></ReplaceKeyPrefixWith>"), key: "docs/a", target: "a"},
		"a key without the prefix":   {document: redirectIf(prefix, "<ReplaceKeyWith>k</ReplaceKeyWith>"), key: "a"},
		"an error":                   {document: redirectIf(missing, "<ReplaceKeyWith>k</ReplaceKeyWith>"), key: "a", status: 404, target: "k"},
		"another error":              {document: redirectIf(missing, "<ReplaceKeyWith>k</ReplaceKeyWith>"), key: "a", status: 403},
		"no error":                   {document: redirectIf(missing, "<ReplaceKeyWith>k</ReplaceKeyWith>"), key: "a"},
		"an error of another prefix": {document: redirectIf(prefix+missing, "<ReplaceKeyWith>k</ReplaceKeyWith>"), key: "a", status: 404},
		"an error of the same prefix": {
			document: redirectIf(prefix+missing, "<ReplaceKeyPrefixWith>b</ReplaceKeyPrefixWith>"),
			key:      "docs/a",
			status:   404,
			target:   "ba",
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			c := parse(t, tt.document)
			require.NoError(t, c.Check())
			target := ""
			if rule := c.Rule(tt.key, tt.status); rule != nil {
				target = rule.Target(tt.key)
			}
			require.Equal(t, tt.target, target)
		})
	}
}
