package policy_test

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/s3server/internal/policy"
	"github.com/omnibucket/storage/s3server/internal/s3error"
	"github.com/omnibucket/storage/s3server/internal/tagging"
)

const (
	inBucket = `"arn:aws:s3:::photos"`
	inKeys   = `"arn:aws:s3:::photos/*"`
	allowGet = `{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":` + inKeys + `}`
)

// allowStatement returns an Allow for everyone.
func allowStatement(action, resource, condition string) string {
	return statement("Allow", action, resource, condition)
}

// denyStatement returns a Deny for everyone.
func denyStatement(action, resource, condition string) string {
	return statement("Deny", action, resource, condition)
}

// statement returns a statement for everyone, with a condition if it is not "".
func statement(effect, action, resource, condition string) string {
	if condition != "" {
		condition = `,"Condition":` + condition
	}
	return fmt.Sprintf(`{"Effect":%q,"Principal":"*","Action":%q,"Resource":%s%s}`, effect, action,
		resource, condition)
}

// policyOf returns a policy with these statements.
func policyOf(statements string) []byte {
	return []byte(`{"Version":"2012-10-17","Statement":[` + statements + `]}`)
}

// Parse refuses policies that the server does not understand.
func TestParseRefuses(t *testing.T) {
	tests := []struct{ name, statements, wantCode string }{
		{
			name:       "unknown condition key",
			statements: denyStatement("s3:*", inKeys, `{"StringEquals":{"aws:Weather":"rain"}}`),
			wantCode:   "MalformedPolicy",
		},
		{
			name:       "unknown operator",
			statements: denyStatement("s3:*", inKeys, `{"StringResembles":{"aws:Referer":"x"}}`),
			wantCode:   "MalformedPolicy",
		},
		{
			name:       "unknown element",
			statements: `{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":` + inKeys + `,"Unless":"x"}`,
			wantCode:   "MalformedPolicy",
		},
		{name: "unknown action", statements: denyStatement("s3:FlyObject", inKeys, ""), wantCode: "MalformedPolicy"},
		{
			name:       "action of another service",
			statements: denyStatement("ec2:RunInstances", inKeys, ""),
			wantCode:   "MalformedPolicy",
		},
		{
			name:       "principal missing",
			statements: `{"Effect":"Deny","Action":"s3:*","Resource":` + inKeys + `}`,
			wantCode:   "MalformedPolicy",
		},
		{
			name:       "Principal and NotPrincipal",
			statements: `{"Effect":"Deny","Principal":"*","NotPrincipal":"*","Action":"s3:*","Resource":` + inKeys + `}`,
			wantCode:   "MalformedPolicy",
		},
		{
			name:       "Allow with NotPrincipal",
			statements: `{"Effect":"Allow","NotPrincipal":{"AWS":"1"},"Action":"s3:*","Resource":` + inKeys + `}`,
			wantCode:   "MalformedPolicy",
		},
		{
			name:       "principal with a wildcard",
			statements: `{"Effect":"Deny","Principal":{"AWS":"arn:aws:iam::1:*"},"Action":"s3:*","Resource":` + inKeys + `}`,
			wantCode:   "MalformedPolicy",
		},
		{
			name:       "principal of unknown kind",
			statements: `{"Effect":"Deny","Principal":{"Animal":"*"},"Action":"s3:*","Resource":` + inKeys + `}`,
			wantCode:   "MalformedPolicy",
		},
		{
			name:       "principal without names",
			statements: `{"Effect":"Deny","Principal":{},"Action":"s3:*","Resource":` + inKeys + `}`,
			wantCode:   "MalformedPolicy",
		},
		{
			name:       "unknown effect",
			statements: `{"Effect":"deny","Principal":"*","Action":"s3:*","Resource":` + inKeys + `}`,
			wantCode:   "MalformedPolicy",
		},
		{
			name:       "element twice",
			statements: `{"Effect":"Deny","Effect":"Allow","Principal":"*","Action":"s3:*","Resource":` + inKeys + `}`,
			wantCode:   "MalformedPolicy",
		},
		{
			name:       "element twice, in another case",
			statements: `{"Effect":"Deny","effect":"Allow","Principal":"*","Action":"s3:*","Resource":` + inKeys + `}`,
			wantCode:   "MalformedPolicy",
		},
		{
			name: "operator twice",
			statements: denyStatement("s3:*", inKeys,
				`{"Null":{"aws:Referer":"true"},"Null":{"aws:UserAgent":"true"}}`),
			wantCode: "MalformedPolicy",
		},
		{
			name:       "condition is null",
			statements: denyStatement("s3:*", inKeys, `null`),
			wantCode:   "MalformedPolicy",
		},
		{
			name:       "operator without a key",
			statements: denyStatement("s3:*", inKeys, `{"Null":{}}`),
			wantCode:   "MalformedPolicy",
		},
		{
			name:       "condition key without a value",
			statements: denyStatement("s3:*", inKeys, `{"StringEquals":{"aws:Referer":[]}}`),
			wantCode:   "MalformedPolicy",
		},
		{
			name:       "invalid network",
			statements: denyStatement("s3:*", inKeys, `{"IpAddress":{"aws:SourceIp":"here"}}`),
			wantCode:   "MalformedPolicy",
		},
		{
			name:       "invalid number",
			statements: denyStatement("s3:*", inKeys, `{"NumericEquals":{"s3:max-keys":"ten"}}`),
			wantCode:   "MalformedPolicy",
		},
		{
			name:       "invalid date",
			statements: denyStatement("s3:*", inKeys, `{"DateEquals":{"aws:CurrentTime":"soon"}}`),
			wantCode:   "MalformedPolicy",
		},
		{
			name:       "invalid boolean",
			statements: denyStatement("s3:*", inKeys, `{"Bool":{"aws:SecureTransport":"maybe"}}`),
			wantCode:   "MalformedPolicy",
		},
		{
			name:       "variable",
			statements: denyStatement("s3:*", `"arn:aws:s3:::photos/${aws:username}/*"`, ""),
			wantCode:   "NotImplemented",
		},
		{
			name:       "variable that an escape might hide",
			statements: denyStatement("s3:*", `"arn:aws:s3:::photos/$${*}{aws:username}/${aws:userid}"`, ""),
			wantCode:   "NotImplemented",
		},
		{
			name:       "variable in escapes of JSON",
			statements: denyStatement("s3:*", `"arn:aws:s3:::photos/\u0024\u007Baws:username}/*"`, ""),
			wantCode:   "NotImplemented",
		},
		{
			name:       "empty list of actions",
			statements: `{"Effect":"Deny","Principal":"*","Action":[],"NotAction":"s3:GetObject","Resource":` + inKeys + `}`,
			wantCode:   "MalformedPolicy",
		},
		{
			name:       "same statement ID twice",
			statements: strings.Repeat(`{"Sid":"a","Effect":"Deny","Principal":"*","Action":"s3:*","Resource":`+inKeys+`},`, 2) + allowGet,
			wantCode:   "MalformedPolicy",
		},
		{
			name:       "resource of another bucket",
			statements: denyStatement("s3:*", `"arn:aws:s3:::other/*"`, ""),
			wantCode:   "MalformedPolicy",
		},
		{
			name:       "action on buckets, resource of objects",
			statements: denyStatement("s3:ListBucket", inKeys, ""),
			wantCode:   "MalformedPolicy",
		},
		{
			name:       "action on objects, resource of the bucket",
			statements: denyStatement("s3:GetObject", inBucket, ""),
			wantCode:   "MalformedPolicy",
		},
		// The documentation of AWS Amplify had such a policy:
		// https://github.com/aws-amplify/docs/issues/7799.
		{
			name:       "two actions, of which one is on buckets",
			statements: strings.Replace(allowGet, `"s3:GetObject"`, `["s3:GetObject","s3:ListBucket"]`, 1),
			wantCode:   "MalformedPolicy",
		},
		{name: "statements missing", statements: "", wantCode: "MalformedPolicy"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := policy.Parse(policyOf(tt.statements), "photos")
			require.True(t, s3error.Is(err, tt.wantCode), err)
		})
	}
}

// Restore takes a policy that an earlier server has stored, although Parse refuses this policy now.
func TestRestoreTakesActionsOfOtherResources(t *testing.T) {
	_, err := policy.Restore(policyOf(denyStatement("s3:ListBucket", inKeys, "")), "photos")
	require.NoError(t, err)
}

// Parse refuses a document that is not a policy, or is too large or too deep.
func TestParseRefusesDocuments(t *testing.T) {
	tests := []struct{ name, document, wantCode string }{
		{
			name:     "unknown version of the policy language",
			document: `{"Version":"2026-01-01","Statement":[` + allowGet + `]}`,
			wantCode: "MalformedPolicy",
		},
		{
			name:     "statements twice",
			document: `{"Statement":[` + allowGet + `],"Statement":[]}`,
			wantCode: "MalformedPolicy",
		},
		{name: "second document", document: `{"Statement":[` + allowGet + `]} {}`, wantCode: "MalformedPolicy"},
		{name: "document too deep", document: strings.Repeat("[", 10_000), wantCode: "MalformedPolicy"},
		{
			name:     "document too large",
			document: `{"Statement":` + strings.Repeat(" ", 20<<10) + `[` + allowGet + `]}`,
			wantCode: "PolicyTooLarge",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := policy.Parse([]byte(tt.document), "photos")
			require.True(t, s3error.Is(err, tt.wantCode), err)
		})
	}
}

// By AWS's definition, a policy is public if it has a statement for everyone (the principal "*")
// and the conditions of this statement do not limit the callers.
func TestPublicIsAWSsRule(t *testing.T) {
	tests := []struct {
		name       string
		statement  string
		wantPublic bool
	}{
		{name: "everyone", statement: allowGet, wantPublic: true},
		{
			name:       "everyone, as AWS principals",
			statement:  strings.Replace(allowGet, `"*"`, `{"AWS":"*"}`, 1),
			wantPublic: true,
		},
		{name: "an account", statement: strings.Replace(allowGet, `"*"`, `{"AWS":"210987654321"}`, 1)},
		{
			name:      "a network",
			statement: allowStatement("s3:GetObject", inKeys, `{"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}}`),
		},
		{
			name:       "a very large network",
			statement:  allowStatement("s3:GetObject", inKeys, `{"IpAddress":{"aws:SourceIp":"0.0.0.0/1"}}`),
			wantPublic: true,
		},
		{
			name:       "all but a network",
			statement:  allowStatement("s3:GetObject", inKeys, `{"NotIpAddress":{"aws:SourceIp":"10.0.0.0/8"}}`),
			wantPublic: true,
		},
		{
			name:       "a referer",
			statement:  allowStatement("s3:GetObject", inKeys, `{"StringLike":{"aws:Referer":"http://e.com/*"}}`),
			wantPublic: true,
		},
		{
			name:      "an organization",
			statement: allowStatement("s3:GetObject", inKeys, `{"StringEquals":{"aws:PrincipalOrgID":"o-1"}}`),
		},
		{
			name:       "any organization",
			statement:  allowStatement("s3:GetObject", inKeys, `{"StringLike":{"aws:PrincipalOrgID":"o-*"}}`),
			wantPublic: true,
		},
		{name: "a Deny", statement: denyStatement("s3:GetObject", inKeys, "")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, err := policy.Parse(policyOf(tt.statement), "photos")
			require.NoError(t, err)
			require.Equal(t, tt.wantPublic, p.Public())
		})
	}
}

// An Allow with a condition applies only to requests that meet the condition. The request has the Referer
// http://example.com/a, no User-Agent, the address 10.1.2.3, max-keys 10 and the time 2026-03-01. It comes without TLS
// for an object with the tag Team=a.
func TestConditions(t *testing.T) {
	tests := []struct {
		name        string
		condition   string
		wantApplies bool
	}{
		{
			name:        "equal text",
			condition:   `{"StringEquals":{"aws:Referer":"http://example.com/a"}}`,
			wantApplies: true,
		},
		{name: "other text", condition: `{"StringEquals":{"aws:Referer":["b","c"]}}`},
		{
			name:        "one of several texts",
			condition:   `{"StringEquals":{"aws:Referer":["b","http://example.com/a"]}}`,
			wantApplies: true,
		},
		{
			name:        "matching pattern",
			condition:   `{"StringLike":{"aws:Referer":"http://example.com/*"}}`,
			wantApplies: true,
		},
		{name: "negated matching pattern", condition: `{"StringNotLike":{"aws:Referer":"http://example.com/*"}}`},
		{
			name:      "negated patterns, of which one matches",
			condition: `{"StringNotLike":{"aws:Referer":["b*","http://example.com/*"]}}`,
		},
		{name: "key missing", condition: `{"StringEquals":{"aws:UserAgent":"x"}}`},
		{
			name:        "key missing, IfExists",
			condition:   `{"StringEqualsIfExists":{"aws:UserAgent":"x"}}`,
			wantApplies: true,
		},
		{
			name:        "key missing, negated operator",
			condition:   `{"StringNotEquals":{"aws:UserAgent":"x"}}`,
			wantApplies: true,
		},
		{
			name:        "key missing, as the condition demands",
			condition:   `{"Null":{"aws:UserAgent":"true"}}`,
			wantApplies: true,
		},
		{name: "key missing, although the condition demands it", condition: `{"Null":{"aws:UserAgent":"false"}}`},
		{name: "address in the network", condition: `{"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}}`, wantApplies: true},
		{name: "address in another network", condition: `{"IpAddress":{"aws:SourceIp":"192.168.0.0/16"}}`},
		{name: "address in a negated network", condition: `{"NotIpAddress":{"aws:SourceIp":"10.0.0.0/8"}}`},
		{
			name:        "number equal to the maximum",
			condition:   `{"NumericLessThanEquals":{"s3:max-keys":"10"}}`,
			wantApplies: true,
		},
		{name: "number not below the limit", condition: `{"NumericLessThan":{"s3:max-keys":"10"}}`},
		{
			name:        "time before",
			condition:   `{"DateLessThan":{"aws:CurrentTime":"2027-01-01"}}`,
			wantApplies: true,
		},
		{name: "time not after", condition: `{"DateGreaterThan":{"aws:CurrentTime":"2027-01-01T00:00:00Z"}}`},
		{name: "request without TLS", condition: `{"Bool":{"aws:SecureTransport":"false"}}`, wantApplies: true},
		{name: "tag of the object", condition: `{"StringEquals":{"s3:ExistingObjectTag/Team":"a"}}`, wantApplies: true},
		{
			name:      "name of the tag in another case",
			condition: `{"StringEquals":{"s3:ExistingObjectTag/team":"a"}}`,
		},
		{
			name:      "two conditions, of which one fails",
			condition: `{"StringLike":{"aws:Referer":"*"},"Null":{"aws:Referer":"true"}}`,
		},
		{
			name:        "all values, key missing",
			condition:   `{"ForAllValues:StringEquals":{"aws:UserAgent":"x"}}`,
			wantApplies: true,
		},
		{
			name:      "any value, key missing",
			condition: `{"ForAnyValue:StringEquals":{"aws:UserAgent":"x"}}`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, err := policy.Parse(policyOf(allowStatement("s3:GetObject", inKeys, tt.condition)), "photos")
			require.NoError(t, err)
			allowed, denied := p.Evaluate(getRequest())
			require.Equal(t, tt.wantApplies, allowed)
			require.False(t, denied)
		})
	}
}

// getRequest returns a request of another account for an object with a tag.
func getRequest() *policy.Request {
	return &policy.Request{
		Operation:  "GetObject",
		Action:     "s3:GetObject",
		Resource:   "arn:aws:s3:::photos/k",
		Account:    "1",
		Owner:      "2",
		Header:     http.Header{"Referer": {"http://example.com/a"}},
		Query:      url.Values{"max-keys": {"10"}},
		RemoteAddr: "10.1.2.3:4",
		Now:        time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC),
		ObjectTags: func() []tagging.Tag { return []tagging.Tag{{Key: "Team", Value: "a"}} },
	}
}

// Evaluate reports an Allow and a Deny separately, even if both apply to a request.
func TestJudgeReportsBoth(t *testing.T) {
	denyWithoutReferer := denyStatement("s3:*", inKeys, `{"Null":{"aws:Referer":"true"}}`)
	p, err := policy.Parse(policyOf(allowGet+","+denyWithoutReferer), "photos")
	require.NoError(t, err)

	// The policy allows a read of any object, and denies each request without the header Referer.
	withoutReferer := getRequest()
	withoutReferer.Header = nil
	allowed, denied := p.Evaluate(withoutReferer)
	require.True(t, allowed)
	require.True(t, denied)

	// If a write has the header, neither the Allow nor the Deny applies to it.
	put := getRequest()
	put.Action = "s3:PutObject"
	allowed, denied = p.Evaluate(put)
	require.False(t, allowed)
	require.False(t, denied)
}

// The condition key s3:signatureAge is the age of a request's signature in milliseconds. It is 0
// for signatures of version 2.
func TestConditionOfSignatureAge(t *testing.T) {
	// The signature of version 4 is a minute old.
	now := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	tests := []struct {
		name        string
		algorithm   string
		signedAt    string
		condition   string
		wantApplies bool
	}{
		{
			name:        "version 4",
			algorithm:   "AWS4-HMAC-SHA256",
			signedAt:    "20260228T235900Z",
			condition:   `{"NumericEquals":{"s3:signatureAge":"60000"}}`,
			wantApplies: true,
		},
		{
			name:        "version 2",
			algorithm:   "AWS",
			condition:   `{"NumericEquals":{"s3:signatureAge":"0"}}`,
			wantApplies: true,
		},
		{name: "no signature", condition: `{"Null":{"s3:signatureAge":"false"}}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, err := policy.Parse(policyOf(allowStatement("s3:GetObject", inKeys, tt.condition)), "photos")
			require.NoError(t, err)

			allowed, _ := p.Evaluate(&policy.Request{
				Operation: "GetObject",
				Action:    "s3:GetObject",
				Resource:  "arn:aws:s3:::photos/k",
				Algorithm: tt.algorithm,
				SignedAt:  tt.signedAt,
				Anonymous: tt.algorithm == "",
				Now:       now,
			})
			require.Equal(t, tt.wantApplies, allowed)
		})
	}
}

// Some actions have a counterpart for versions. These actions and their counterparts are all
// actions on objects.
func TestActionsOfVersions(t *testing.T) {
	for action, versionAction := range policy.VersionActions {
		require.True(t, policy.OnObjects(action), action)
		require.True(t, policy.OnObjects(versionAction), versionAction)
	}
}
