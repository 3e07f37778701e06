package formpolicy_test

import (
	"encoding/base64"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/s3server/internal/formpolicy"
	"github.com/omnibucket/storage/s3server/internal/s3error"
)

func encoded(document string) string { return base64.StdEncoding.EncodeToString([]byte(document)) }

// Parse refuses these form policies.
func TestParseRefuses(t *testing.T) {
	for name, policy := range map[string]string{
		"no base64":     "{}",
		"no JSON":       encoded("policy"),
		"no expiration": encoded(`{"conditions":[]}`),
		"no conditions": encoded(`{"expiration":"2030-01-01T00:00:00Z"}`),
		"more":          encoded(`{"expiration":"2030-01-01T00:00:00Z","conditions":[],"color":"red"}`),
		"in other case": encoded(`{"Expiration":"2030-01-01T00:00:00Z","conditions":[]}`),
	} {
		t.Run(name, func(t *testing.T) {
			_, err := formpolicy.Parse(policy)
			require.True(t, s3error.Is(err, "InvalidPolicyDocument"), err)
		})
	}
}

// The fields of a form must meet the conditions of its policy.
func TestPolicyConditions(t *testing.T) {
	names := []string{"key", "content-type", "policy", "x-ignore-me"}
	fields := map[string]string{"key": "user/a", "content-type": "image/png"}
	const others = `,["starts-with","$content-type",""],{"bucket":"photos"}`
	tests := map[string]struct{ conditions, code, message string }{
		"the same text":           {`{"key":"user/a"}` + others, "", ""},
		"another text":            {`{"key":"user/b"}` + others, "AccessDenied", `Policy Condition failed: ["eq", "$key", "user/b"]`},
		"eq":                      {`["eq","$Key","user/a"]` + others, "", ""},
		"a beginning":             {`["starts-with","$key","user/"]` + others, "", ""},
		"another beginning":       {`["starts-with","$key","admin/"]` + others, "AccessDenied", "Policy Condition failed"},
		"a field that is missing": {`["eq","$key","user/a"],["eq","$acl","private"]` + others, "AccessDenied", "Policy Condition failed"},
		"another bucket":          {`["eq","$key","user/a"],{"bucket":"other"}` + others, "AccessDenied", "Policy Condition failed"},
		"a field without one":     {`["eq","$key","user/a"]`, "AccessDenied", "Extra input fields: content-type"},
		"an unknown match":        {`["ends-with","$key","a"]` + others, "InvalidPolicyDocument", "Invalid Condition"},
		"no dollar":               {`["eq","key","a"]` + others, "InvalidPolicyDocument", "Invalid Condition"},
		"an empty one":            {`{}` + others, "InvalidPolicyDocument", "exactly one property"},
		"two in one":              {`{"key":"user/a","content-type":"image/png"}` + others, "InvalidPolicyDocument", "exactly one property"},
		"a range backwards":       {`["content-length-range",5,1]` + others, "InvalidPolicyDocument", "Invalid Condition"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			p, err := formpolicy.Parse(encoded(`{"expiration":"2030-01-01T00:00:00Z","conditions":[` + tt.conditions + `]}`))
			require.NoError(t, err)
			_, err = p.Check(names, fields, "photos", formpolicy.Sizes{Most: 100})
			if tt.code == "" {
				require.NoError(t, err)
				return
			}
			require.True(t, s3error.Is(err, tt.code), err)
			require.ErrorContains(t, err, tt.message)
		})
	}
}

// If a form's Content-Type lists several types, each of them must meet the policy's condition.
func TestPolicyTypeMayBeList(t *testing.T) {
	tests := map[string]struct {
		value   string
		allowed bool
	}{
		"one type":                       {"image/png", true},
		"pictures":                       {"image/jpg,image/png, image/gif", true},
		"a page after a picture":         {"image/png,text/html", false},
		"a page after a space":           {"image/png, text/html", false},
		"a page in a parameter's quotes": {`image/png;a=",text/html"`, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			p, err := formpolicy.Parse(encoded(`{"expiration":"2030-01-01T00:00:00Z","conditions":[["starts-with","$Content-Type","image/"],["starts-with","$key","a,"]]}`))
			require.NoError(t, err)
			_, err = p.Check([]string{"content-type", "key"}, map[string]string{"content-type": tt.value, "key": "a,b"}, "photos", formpolicy.Sizes{Most: 100})
			require.Equal(t, tt.allowed, err == nil, err)
		})
	}
}

// If a policy has several ranges of sizes, a size must be in all of them.
func TestPolicySmallestRangeOfSizes(t *testing.T) {
	p, err := formpolicy.Parse(encoded(`{"expiration":"2030-01-01T00:00:00Z","conditions":[["content-length-range",1,50],["content-length-range",5,200]]}`))
	require.NoError(t, err)
	sizes, err := p.Check(nil, nil, "photos", formpolicy.Sizes{Most: 100})
	require.NoError(t, err)
	require.Equal(t, formpolicy.Sizes{Least: 5, Most: 50}, sizes)
}
