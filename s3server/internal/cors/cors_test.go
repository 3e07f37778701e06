package cors_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/s3server/internal/cors"
	"github.com/omnibucket/storage/s3server/internal/s3error"
	"github.com/omnibucket/storage/s3server/internal/xmldoc"
)

const anyGet = "<AllowedOrigin>*</AllowedOrigin><AllowedMethod>GET</AllowedMethod>"

func parse(t *testing.T, document string) *cors.Configuration {
	c, err := parsed(document)
	require.NoError(t, err)
	return c
}

func parsed(document string) (*cors.Configuration, error) {
	c := &cors.Configuration{}
	return c, xmldoc.Parse([]byte("<CORSConfiguration>"+document+"</CORSConfiguration>"), c)
}

func rule(content string) string { return "<CORSRule>" + content + "</CORSRule>" }

// Parsing refuses these CORS configurations.
func TestConfigurationRefused(t *testing.T) {
	for name, test := range map[string]struct{ document, code string }{
		"no rule":                {"", "MalformedXML"},
		"too many rules":         {strings.Repeat(rule(anyGet), 101), "MalformedXML"},
		"an unknown element":     {rule(anyGet) + "<Color/>", "MalformedXML"},
		"no origin":              {rule("<AllowedMethod>GET</AllowedMethod>"), "MalformedXML"},
		"no method":              {rule("<AllowedOrigin>*</AllowedOrigin>"), "MalformedXML"},
		"another method":         {rule(anyGet + "<AllowedMethod>PATCH</AllowedMethod>"), "InvalidRequest"},
		"two stars in an origin": {rule(anyGet + "<AllowedOrigin>*.*</AllowedOrigin>"), "InvalidRequest"},
		"two stars in a header":  {rule(anyGet + "<AllowedHeader>x-*-*</AllowedHeader>"), "InvalidRequest"},
		"a star in a shown name": {rule(anyGet + "<ExposeHeader>x-*</ExposeHeader>"), "InvalidRequest"},
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

// A rule matches its origins, methods and headers.
func TestRulesMatch(t *testing.T) {
	c := parse(t, rule("<ID>app</ID><AllowedOrigin>https://*.example.com</AllowedOrigin><AllowedMethod>PUT</AllowedMethod><AllowedHeader>Content-Type</AllowedHeader><AllowedHeader>x-amz-*</AllowedHeader>")+
		rule("<ID>all</ID>"+anyGet))
	require.NoError(t, c.Check())
	for name, test := range map[string]struct {
		origin, method string
		headers        []string
		rule           string // "" if none allows it
	}{
		"the first rule":            {"https://app.example.com", "PUT", nil, "app"},
		"its headers":               {"https://app.example.com", "PUT", []string{"content-type", "x-amz-meta-a"}, "app"},
		"another header":            {"https://app.example.com", "PUT", []string{"x-other"}, ""},
		"another origin":            {"https://example.org", "PUT", nil, ""},
		"an origin without the dot": {"https://example.com", "PUT", nil, ""},
		"the second rule":           {"https://example.org", "GET", nil, "all"},
		"a header of no rule":       {"https://example.org", "GET", []string{"content-type"}, ""},
		"another method":            {"https://app.example.com", "DELETE", nil, ""},
	} {
		t.Run(name, func(t *testing.T) {
			id := ""
			if found := c.Find(test.origin, test.method, test.headers); found != nil {
				id = found.ID
			}
			require.Equal(t, test.rule, id)
		})
	}
}

// A response has the headers of its rule.
func TestRuleHeaders(t *testing.T) {
	for name, test := range map[string]struct {
		rule   string
		header http.Header
	}{
		"every origin": {anyGet, http.Header{"Access-Control-Allow-Origin": {"*"}, "Access-Control-Allow-Methods": {"GET"}}},
		"one origin": {
			"<AllowedOrigin>https://a.example</AllowedOrigin><AllowedMethod>GET</AllowedMethod><AllowedMethod>PUT</AllowedMethod><ExposeHeader>ETag</ExposeHeader><MaxAgeSeconds>60</MaxAgeSeconds>",
			http.Header{
				"Access-Control-Allow-Origin":      {"https://a.example"},
				"Access-Control-Allow-Credentials": {"true"},
				"Access-Control-Allow-Methods":     {"GET, PUT"},
				"Access-Control-Expose-Headers":    {"ETag"},
				"Access-Control-Max-Age":           {"60"},
			},
		},
	} {
		t.Run(name, func(t *testing.T) {
			header := http.Header{}
			parse(t, rule(test.rule)).Rules[0].Write(header, "https://a.example")
			test.header["Vary"] = []string{"Origin, Access-Control-Request-Headers, Access-Control-Request-Method"}
			require.Equal(t, test.header, header)
		})
	}
}
