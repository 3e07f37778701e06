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
	tests := map[string]struct{ document, code string }{
		"no rule":                {"", "MalformedXML"},
		"too many rules":         {strings.Repeat(rule(anyGet), 101), "MalformedXML"},
		"an unknown element":     {rule(anyGet) + "<Color/>", "MalformedXML"},
		"no origin":              {rule("<AllowedMethod>GET</AllowedMethod>"), "MalformedXML"},
		"no method":              {rule("<AllowedOrigin>*</AllowedOrigin>"), "MalformedXML"},
		"another method":         {rule(anyGet + "<AllowedMethod>PATCH</AllowedMethod>"), "InvalidRequest"},
		"two stars in an origin": {rule(anyGet + "<AllowedOrigin>*.*</AllowedOrigin>"), "InvalidRequest"},
		"two stars in a header":  {rule(anyGet + "<AllowedHeader>x-*-*</AllowedHeader>"), "InvalidRequest"},
		"a star in a shown name": {rule(anyGet + "<ExposeHeader>x-*</ExposeHeader>"), "InvalidRequest"},
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

// A rule matches its origins, methods and headers.
func TestRulesMatch(t *testing.T) {
	c := parse(t, rule("<ID>app</ID><AllowedOrigin>https://*.example.com</AllowedOrigin><AllowedMethod>PUT</AllowedMethod><AllowedHeader>Content-Type</AllowedHeader><AllowedHeader>x-amz-*</AllowedHeader>")+
		rule("<ID>all</ID>"+anyGet))
	require.NoError(t, c.Check())
	tests := map[string]struct {
		origin, method string
		headers        []string
		rule           string // "" if none allows it
	}{
		"the first rule": {origin: "https://app.example.com", method: "PUT", rule: "app"},
		"its headers": {
			origin:  "https://app.example.com",
			method:  "PUT",
			headers: []string{"content-type", "x-amz-meta-a"},
			rule:    "app",
		},
		"another header":            {origin: "https://app.example.com", method: "PUT", headers: []string{"x-other"}},
		"another origin":            {origin: "https://example.org", method: "PUT"},
		"an origin without the dot": {origin: "https://example.com", method: "PUT"},
		"the second rule":           {origin: "https://example.org", method: "GET", rule: "all"},
		"a header of no rule":       {origin: "https://example.org", method: "GET", headers: []string{"content-type"}},
		"another method":            {origin: "https://app.example.com", method: "DELETE"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			id := ""
			if rule := c.Find(tt.origin, tt.method, tt.headers); rule != nil {
				id = rule.ID
			}
			require.Equal(t, tt.rule, id)
		})
	}
}

// A response has the headers of its rule.
func TestRuleHeaders(t *testing.T) {
	tests := map[string]struct {
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
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			header := http.Header{}
			parse(t, rule(tt.rule)).Rules[0].Write(header, "https://a.example")
			tt.header["Vary"] = []string{"Origin, Access-Control-Request-Headers, Access-Control-Request-Method"}
			require.Equal(t, tt.header, header)
		})
	}
}
