package formpolicy_test

import (
	"encoding/base64"
	"testing"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/s3server/internal/formpolicy"
	"github.com/omnibucket/storage/s3server/internal/s3error"
)

// encoded returns a policy in base64, as a form contains it.
func encoded(document string) string { return base64.StdEncoding.EncodeToString([]byte(document)) }

// withConditions returns a policy with a list of conditions, in base64.
func withConditions(list string) string {
	return encoded(`{"expiration":"2030-01-01T00:00:00Z","conditions":[` + list + `]}`)
}

// Parse refuses a policy that is not the base64 of a JSON object with exactly an expiration and conditions.
func TestParseRefuses(t *testing.T) {
	tests := []struct{ name, policy string }{
		{name: "policy is not Base64", policy: "{}"},
		{name: "policy is not JSON", policy: encoded("policy")},
		{name: "expiration missing", policy: encoded(`{"conditions":[]}`)},
		{name: "conditions missing", policy: encoded(`{"expiration":"2030-01-01T00:00:00Z"}`)},
		{
			name:   "unknown field",
			policy: encoded(`{"expiration":"2030-01-01T00:00:00Z","conditions":[],"color":"red"}`),
		},
		{
			name:   "field in another case",
			policy: encoded(`{"Expiration":"2030-01-01T00:00:00Z","conditions":[]}`),
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := formpolicy.Parse(tt.policy)
			require.True(t, s3error.Is(err, "InvalidPolicyDocument"), err)
		})
	}
}

// The fields of a form must meet the conditions of its policy. Each field needs a condition, except for some, such as
// policy and x-ignore-me.
func TestPolicyConditions(t *testing.T) {
	// The form of each case has these fields.
	names := []string{"key", "content-type", "policy", "x-ignore-me"}
	fields := map[string]string{"key": "user/a", "content-type": "image/png"}

	// The form meets these conditions. The policy has them after the condition of the case.
	const others = `,["starts-with","$content-type",""],{"bucket":"photos"}`
	tests := []struct {
		name        string
		conditions  string
		wantCode    string // of the error; "" if the form meets the conditions
		wantMessage string // part of the message
	}{
		{name: "equal text, as an object", conditions: `{"key":"user/a"}` + others},
		{
			name:        "other text",
			conditions:  `{"key":"user/b"}` + others,
			wantCode:    "AccessDenied",
			wantMessage: `Policy Condition failed: ["eq", "$key", "user/b"]`,
		},
		{name: "equal text, as a list", conditions: `["eq","$Key","user/a"]` + others},
		{name: "matching prefix", conditions: `["starts-with","$key","user/"]` + others},
		{
			name:        "other prefix",
			conditions:  `["starts-with","$key","admin/"]` + others,
			wantCode:    "AccessDenied",
			wantMessage: "Policy Condition failed",
		},
		{
			name:        "field missing",
			conditions:  `["eq","$key","user/a"],["eq","$acl","private"]` + others,
			wantCode:    "AccessDenied",
			wantMessage: "Policy Condition failed",
		},
		{
			name:        "other bucket",
			conditions:  `["eq","$key","user/a"],{"bucket":"other"}` + others,
			wantCode:    "AccessDenied",
			wantMessage: "Policy Condition failed",
		},
		{
			name:        "field without a condition",
			conditions:  `["eq","$key","user/a"]`,
			wantCode:    "AccessDenied",
			wantMessage: "Extra input fields: content-type",
		},
		{
			name:        "unknown operator",
			conditions:  `["ends-with","$key","a"]` + others,
			wantCode:    "InvalidPolicyDocument",
			wantMessage: "Invalid Condition",
		},
		{
			name:        "field without a dollar sign",
			conditions:  `["eq","key","a"]` + others,
			wantCode:    "InvalidPolicyDocument",
			wantMessage: "Invalid Condition",
		},
		{
			name:        "empty condition",
			conditions:  `{}` + others,
			wantCode:    "InvalidPolicyDocument",
			wantMessage: "exactly one property",
		},
		{
			name:        "two fields in one condition",
			conditions:  `{"key":"user/a","content-type":"image/png"}` + others,
			wantCode:    "InvalidPolicyDocument",
			wantMessage: "exactly one property",
		},
		{
			name:        "range of sizes backwards",
			conditions:  `["content-length-range",5,1]` + others,
			wantCode:    "InvalidPolicyDocument",
			wantMessage: "Invalid Condition",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, err := formpolicy.Parse(withConditions(tt.conditions))
			require.NoError(t, err)

			sizes := formpolicy.Sizes{Max: 100} // that the server accepts
			_, err = p.Check(names, fields, "photos", sizes)
			if tt.wantCode == "" {
				require.NoError(t, err)
				return
			}
			require.True(t, s3error.Is(err, tt.wantCode), err)
			require.ErrorContains(t, err, tt.wantMessage)
		})
	}
}

// If the Content-Type of a form lists several types, each of them must meet the policy's condition. Here, the condition
// accepts only images.
func TestPolicyTypeMayBeList(t *testing.T) {
	tests := []struct {
		name        string
		contentType string
		wantAllowed bool
	}{
		{name: "one type", contentType: "image/png", wantAllowed: true},
		{name: "several images", contentType: "image/jpg,image/png, image/gif", wantAllowed: true},
		{name: "HTML after an image", contentType: "image/png,text/html"},
		{name: "HTML after an image and a space", contentType: "image/png, text/html"},
		{name: "HTML in the quotes of a parameter", contentType: `image/png;a=",text/html"`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			conditions := `["starts-with","$Content-Type","image/"],["starts-with","$key","a,"]`
			p, err := formpolicy.Parse(withConditions(conditions))
			require.NoError(t, err)

			// Only in Content-Type does a comma separate values. The key "a,b" is one value, and
			// meets its condition.
			names := []string{"content-type", "key"}
			fields := map[string]string{"content-type": tt.contentType, "key": "a,b"}
			_, err = p.Check(names, fields, "photos", formpolicy.Sizes{Max: 100})
			isAllowed := err == nil
			require.Equal(t, tt.wantAllowed, isAllowed, err)
		})
	}
}

// If a policy has several ranges of sizes, a size must be in all of them.
func TestPolicySmallestRangeOfSizes(t *testing.T) {
	p, err := formpolicy.Parse(withConditions(`["content-length-range",1,50],["content-length-range",5,200]`))
	require.NoError(t, err)

	sizes, err := p.Check(nil, nil, "photos", formpolicy.Sizes{Max: 100})
	require.NoError(t, err)
	require.Equal(t, formpolicy.Sizes{Min: 5, Max: 50}, sizes)
}
