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
	for name, test := range map[string]struct{ document, code string }{
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
	} {
		t.Run(name, func(t *testing.T) {
			c, err := parsed(test.document)
			if err == nil {
				err = c.Check()
			}
			require.True(t, s3error.Is(err, test.code))
		})
	}
}

// Each kind of routing rule redirects as AWS does.
func TestRulesRedirect(t *testing.T) {
	const prefix, missing = "<KeyPrefixEquals>docs/</KeyPrefixEquals>", "<HttpErrorCodeReturnedEquals>404</HttpErrorCodeReturnedEquals>"
	on := func(condition, redirect string) string {
		return ruled("<Condition>" + condition + "</Condition><Redirect>" + redirect + "</Redirect>")
	}
	for name, test := range map[string]struct {
		document string
		key      string
		status   int
		target   string // "" if no rule redirects the request
	}{
		"no rules":                    {index, "docs/a", 0, ""},
		"a rule without a condition":  {ruled("<Redirect><ReplaceKeyWith>k</ReplaceKeyWith></Redirect>"), "a", 0, "k"},
		"that rule after an error":    {ruled("<Redirect><ReplaceKeyWith>k</ReplaceKeyWith></Redirect>"), "a", 404, ""},
		"another host only":           {ruled("<Redirect><HostName>h</HostName></Redirect>"), "a", 0, "a"},
		"another prefix":              {on(prefix, "<ReplaceKeyPrefixWith>new/</ReplaceKeyPrefixWith>"), "docs/a", 0, "new/a"},
		"an empty prefix":             {on(prefix, "<ReplaceKeyPrefixWith></ReplaceKeyPrefixWith>"), "docs/a", 0, "a"},
		"a key without the prefix":    {on(prefix, "<ReplaceKeyWith>k</ReplaceKeyWith>"), "a", 0, ""},
		"an error":                    {on(missing, "<ReplaceKeyWith>k</ReplaceKeyWith>"), "a", 404, "k"},
		"another error":               {on(missing, "<ReplaceKeyWith>k</ReplaceKeyWith>"), "a", 403, ""},
		"no error":                    {on(missing, "<ReplaceKeyWith>k</ReplaceKeyWith>"), "a", 0, ""},
		"an error of another prefix":  {on(prefix+missing, "<ReplaceKeyWith>k</ReplaceKeyWith>"), "a", 404, ""},
		"an error of the same prefix": {on(prefix+missing, "<ReplaceKeyPrefixWith>b</ReplaceKeyPrefixWith>"), "docs/a", 404, "ba"},
	} {
		t.Run(name, func(t *testing.T) {
			c := parse(t, test.document)
			require.NoError(t, c.Check())
			target := ""
			if rule := c.Rule(test.key, test.status); rule != nil {
				target = rule.Target(test.key)
			}
			require.Equal(t, test.target, target)
		})
	}
}
