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
	tests := []struct{ name, statements, code string }{
		{
			name:       "an unknown key",
			statements: denyStatement("s3:*", inKeys, `{"StringEquals":{"aws:Weather":"rain"}}`),
			code:       "MalformedPolicy",
		},
		{
			name:       "an unknown operator",
			statements: denyStatement("s3:*", inKeys, `{"StringResembles":{"aws:Referer":"x"}}`),
			code:       "MalformedPolicy",
		},
		{
			name:       "an unknown element",
			statements: `{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":` + inKeys + `,"Unless":"x"}`,
			code:       "MalformedPolicy",
		},
		{name: "an unknown action", statements: denyStatement("s3:FlyObject", inKeys, ""), code: "MalformedPolicy"},
		{
			name:       "an action of another service",
			statements: denyStatement("ec2:RunInstances", inKeys, ""),
			code:       "MalformedPolicy",
		},
		{
			name:       "no principal",
			statements: `{"Effect":"Deny","Action":"s3:*","Resource":` + inKeys + `}`,
			code:       "MalformedPolicy",
		},
		{
			name:       "two principals",
			statements: `{"Effect":"Deny","Principal":"*","NotPrincipal":"*","Action":"s3:*","Resource":` + inKeys + `}`,
			code:       "MalformedPolicy",
		},
		{
			name:       "Allow with NotPrincipal",
			statements: `{"Effect":"Allow","NotPrincipal":{"AWS":"1"},"Action":"s3:*","Resource":` + inKeys + `}`,
			code:       "MalformedPolicy",
		},
		{
			name:       "a principal with a wildcard",
			statements: `{"Effect":"Deny","Principal":{"AWS":"arn:aws:iam::1:*"},"Action":"s3:*","Resource":` + inKeys + `}`,
			code:       "MalformedPolicy",
		},
		{
			name:       "a principal of unknown kind",
			statements: `{"Effect":"Deny","Principal":{"Animal":"*"},"Action":"s3:*","Resource":` + inKeys + `}`,
			code:       "MalformedPolicy",
		},
		{
			name:       "a principal without names",
			statements: `{"Effect":"Deny","Principal":{},"Action":"s3:*","Resource":` + inKeys + `}`,
			code:       "MalformedPolicy",
		},
		{
			name:       "an unknown effect",
			statements: `{"Effect":"deny","Principal":"*","Action":"s3:*","Resource":` + inKeys + `}`,
			code:       "MalformedPolicy",
		},
		{
			name:       "an element twice",
			statements: `{"Effect":"Deny","Effect":"Allow","Principal":"*","Action":"s3:*","Resource":` + inKeys + `}`,
			code:       "MalformedPolicy",
		},
		{
			name:       "an element in two cases",
			statements: `{"Effect":"Deny","effect":"Allow","Principal":"*","Action":"s3:*","Resource":` + inKeys + `}`,
			code:       "MalformedPolicy",
		},
		{
			name: "a condition twice",
			statements: denyStatement("s3:*", inKeys,
				`{"Null":{"aws:Referer":"true"},"Null":{"aws:UserAgent":"true"}}`),
			code: "MalformedPolicy",
		},
		{
			name:       "a condition that is null",
			statements: denyStatement("s3:*", inKeys, `null`),
			code:       "MalformedPolicy",
		},
		{
			name:       "an operator without a key",
			statements: denyStatement("s3:*", inKeys, `{"Null":{}}`),
			code:       "MalformedPolicy",
		},
		{
			name:       "a key without a value",
			statements: denyStatement("s3:*", inKeys, `{"StringEquals":{"aws:Referer":[]}}`),
			code:       "MalformedPolicy",
		},
		{
			name:       "an invalid network",
			statements: denyStatement("s3:*", inKeys, `{"IpAddress":{"aws:SourceIp":"here"}}`),
			code:       "MalformedPolicy",
		},
		{
			name:       "an invalid number",
			statements: denyStatement("s3:*", inKeys, `{"NumericEquals":{"s3:max-keys":"ten"}}`),
			code:       "MalformedPolicy",
		},
		{
			name:       "an invalid date",
			statements: denyStatement("s3:*", inKeys, `{"DateEquals":{"aws:CurrentTime":"soon"}}`),
			code:       "MalformedPolicy",
		},
		{
			name:       "an invalid truth",
			statements: denyStatement("s3:*", inKeys, `{"Bool":{"aws:SecureTransport":"maybe"}}`),
			code:       "MalformedPolicy",
		},
		{
			name:       "a variable",
			statements: denyStatement("s3:*", `"arn:aws:s3:::photos/${aws:username}/*"`, ""),
			code:       "NotImplemented",
		},
		{
			name:       "a variable in a special one",
			statements: denyStatement("s3:*", `"arn:aws:s3:::photos/$${*}{aws:username}/${aws:userid}"`, ""),
			code:       "NotImplemented",
		},
		{
			name:       "a variable in escapes",
			statements: denyStatement("s3:*", `"arn:aws:s3:::photos/\u0024\u007Baws:username}/*"`, ""),
			code:       "NotImplemented",
		},
		{
			name:       "an empty list of actions",
			statements: `{"Effect":"Deny","Principal":"*","Action":[],"NotAction":"s3:GetObject","Resource":` + inKeys + `}`,
			code:       "MalformedPolicy",
		},
		{
			name:       "the same id twice",
			statements: strings.Repeat(`{"Sid":"a","Effect":"Deny","Principal":"*","Action":"s3:*","Resource":`+inKeys+`},`, 2) + allowGet,
			code:       "MalformedPolicy",
		},
		{
			name:       "a resource of another bucket",
			statements: denyStatement("s3:*", `"arn:aws:s3:::other/*"`, ""),
			code:       "MalformedPolicy",
		},
		{
			name:       "an action not of the object",
			statements: denyStatement("s3:ListBucket", inKeys, ""),
			code:       "MalformedPolicy",
		},
		{
			name:       "an action not of the bucket",
			statements: denyStatement("s3:GetObject", inBucket, ""),
			code:       "MalformedPolicy",
		},
		// aws-amplify/docs#7799
		{
			name:       "one not of the object",
			statements: strings.Replace(allowGet, `"s3:GetObject"`, `["s3:GetObject","s3:ListBucket"]`, 1),
			code:       "MalformedPolicy",
		},
		{name: "no statement", statements: "", code: "MalformedPolicy"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := policy.Parse(policyOf(tt.statements), "photos")
			require.True(t, s3error.Is(err, tt.code), err)
		})
	}
}

// Restore takes what an earlier server has stored, though Parse refuses it now.
func TestRestoreTakesActionsOfOtherResources(t *testing.T) {
	_, err := policy.Restore(policyOf(denyStatement("s3:ListBucket", inKeys, "")), "photos")
	require.NoError(t, err)
}

// Parse refuses a document that is not a policy, or is too large or too deep.
func TestParseRefusesDocuments(t *testing.T) {
	tests := []struct{ name, document, code string }{
		{
			name:     "another version",
			document: `{"Version":"2026-01-01","Statement":[` + allowGet + `]}`,
			code:     "MalformedPolicy",
		},
		{
			name:     "statements twice",
			document: `{"Statement":[` + allowGet + `],"Statement":[]}`,
			code:     "MalformedPolicy",
		},
		{name: "a second document", document: `{"Statement":[` + allowGet + `]} {}`, code: "MalformedPolicy"},
		{name: "a document that is too deep", document: strings.Repeat("[", 10_000), code: "MalformedPolicy"},
		{
			name:     "a document that is too large",
			document: `{"Statement":` + strings.Repeat(" ", 20<<10) + `[` + allowGet + `]}`,
			code:     "PolicyTooLarge",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			_, err := policy.Parse([]byte(tt.document), "photos")
			require.True(t, s3error.Is(err, tt.code), err)
		})
	}
}

// A policy is public by AWS's definition: it has a statement for everyone (the principal "*") whose conditions do not
// limit who that is.
func TestPublicIsAWSsRule(t *testing.T) {
	tests := []struct {
		name      string
		statement string
		public    bool
	}{
		{name: "everyone", statement: allowGet, public: true},
		{
			name:      "everyone, as AWS principals",
			statement: strings.Replace(allowGet, `"*"`, `{"AWS":"*"}`, 1),
			public:    true,
		},
		{name: "an account", statement: strings.Replace(allowGet, `"*"`, `{"AWS":"210987654321"}`, 1)},
		{
			name:      "a network",
			statement: allowStatement("s3:GetObject", inKeys, `{"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}}`),
		},
		{
			name:      "a very large network",
			statement: allowStatement("s3:GetObject", inKeys, `{"IpAddress":{"aws:SourceIp":"0.0.0.0/1"}}`),
			public:    true,
		},
		{
			name:      "all but a network",
			statement: allowStatement("s3:GetObject", inKeys, `{"NotIpAddress":{"aws:SourceIp":"10.0.0.0/8"}}`),
			public:    true,
		},
		{
			name:      "a referer",
			statement: allowStatement("s3:GetObject", inKeys, `{"StringLike":{"aws:Referer":"http://e.com/*"}}`),
			public:    true,
		},
		{
			name:      "an organization",
			statement: allowStatement("s3:GetObject", inKeys, `{"StringEquals":{"aws:PrincipalOrgID":"o-1"}}`),
		},
		{
			name:      "any organization",
			statement: allowStatement("s3:GetObject", inKeys, `{"StringLike":{"aws:PrincipalOrgID":"o-*"}}`),
			public:    true,
		},
		{name: "a Deny", statement: denyStatement("s3:GetObject", inKeys, "")},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, err := policy.Parse(policyOf(tt.statement), "photos")
			require.NoError(t, err)
			require.Equal(t, tt.public, p.Public())
		})
	}
}

// An Allow with a condition applies only to requests that meet the condition.
func TestConditions(t *testing.T) {
	tests := []struct {
		name      string
		condition string
		applies   bool
	}{
		{
			name:      "an equal text",
			condition: `{"StringEquals":{"aws:Referer":"http://example.com/a"}}`,
			applies:   true,
		},
		{name: "another text", condition: `{"StringEquals":{"aws:Referer":["b","c"]}}`},
		{
			name:      "one of several texts",
			condition: `{"StringEquals":{"aws:Referer":["b","http://example.com/a"]}}`,
			applies:   true,
		},
		{
			name:      "a pattern",
			condition: `{"StringLike":{"aws:Referer":"http://example.com/*"}}`,
			applies:   true,
		},
		{name: "no such pattern", condition: `{"StringNotLike":{"aws:Referer":"http://example.com/*"}}`},
		{
			name:      "none of several patterns",
			condition: `{"StringNotLike":{"aws:Referer":["b*","http://example.com/*"]}}`,
		},
		{name: "a key that is not there", condition: `{"StringEquals":{"aws:UserAgent":"x"}}`},
		{
			name:      "a key that is not there, IfExists",
			condition: `{"StringEqualsIfExists":{"aws:UserAgent":"x"}}`,
			applies:   true,
		},
		{
			name:      "a key that is not there, negated",
			condition: `{"StringNotEquals":{"aws:UserAgent":"x"}}`,
			applies:   true,
		},
		{name: "a key that must not be there", condition: `{"Null":{"aws:UserAgent":"true"}}`, applies: true},
		{name: "a key that must be there", condition: `{"Null":{"aws:UserAgent":"false"}}`},
		{name: "a network", condition: `{"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}}`, applies: true},
		{name: "another network", condition: `{"IpAddress":{"aws:SourceIp":"192.168.0.0/16"}}`},
		{name: "not from a network", condition: `{"NotIpAddress":{"aws:SourceIp":"10.0.0.0/8"}}`},
		{name: "a number", condition: `{"NumericLessThanEquals":{"s3:max-keys":"10"}}`, applies: true},
		{name: "a smaller number", condition: `{"NumericLessThan":{"s3:max-keys":"10"}}`},
		{
			name:      "a time before",
			condition: `{"DateLessThan":{"aws:CurrentTime":"2027-01-01"}}`,
			applies:   true,
		},
		{name: "a time after", condition: `{"DateGreaterThan":{"aws:CurrentTime":"2027-01-01T00:00:00Z"}}`},
		{name: "without TLS", condition: `{"Bool":{"aws:SecureTransport":"false"}}`, applies: true},
		{name: "a tag", condition: `{"StringEquals":{"s3:ExistingObjectTag/Team":"a"}}`, applies: true},
		{
			name:      "the name of a tag in other case",
			condition: `{"StringEquals":{"s3:ExistingObjectTag/team":"a"}}`,
		},
		{
			name:      "two conditions of which one fails",
			condition: `{"StringLike":{"aws:Referer":"*"},"Null":{"aws:Referer":"true"}}`,
		},
		{
			name:      "all values of a key that has none",
			condition: `{"ForAllValues:StringEquals":{"aws:UserAgent":"x"}}`,
			applies:   true,
		},
		{
			name:      "any of the values of one that has no",
			condition: `{"ForAnyValue:StringEquals":{"aws:UserAgent":"x"}}`,
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, err := policy.Parse(policyOf(allowStatement("s3:GetObject", inKeys, tt.condition)), "photos")
			require.NoError(t, err)
			allowed, denied := p.Judge(getRequest())
			require.Equal(t, tt.applies, allowed)
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

// Judge reports an Allow and a Deny separately, even if both apply to a request.
func TestJudgeReportsBoth(t *testing.T) {
	denyWithoutReferer := denyStatement("s3:*", inKeys, `{"Null":{"aws:Referer":"true"}}`)
	p, err := policy.Parse(policyOf(allowGet+","+denyWithoutReferer), "photos")
	require.NoError(t, err)

	withoutReferer := getRequest()
	withoutReferer.Header = nil
	allowed, denied := p.Judge(withoutReferer)
	require.True(t, allowed)
	require.True(t, denied)

	put := getRequest()
	put.Action = "s3:PutObject"
	allowed, denied = p.Judge(put)
	require.False(t, allowed)
	require.False(t, denied)
}

// The condition key s3:signatureAge is the age of a request's signature in milliseconds, or 0 for version 2.
func TestConditionOfSignatureAge(t *testing.T) {
	// The signature of version 4 is a minute old.
	now := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
	tests := []struct {
		name      string
		algorithm string
		signedAt  string
		condition string
		applies   bool
	}{
		{
			name:      "version 4",
			algorithm: "AWS4-HMAC-SHA256",
			signedAt:  "20260228T235900Z",
			condition: `{"NumericEquals":{"s3:signatureAge":"60000"}}`,
			applies:   true,
		},
		{
			name:      "version 2",
			algorithm: "AWS",
			condition: `{"NumericEquals":{"s3:signatureAge":"0"}}`,
			applies:   true,
		},
		{name: "no signature", condition: `{"Null":{"s3:signatureAge":"false"}}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p, err := policy.Parse(policyOf(allowStatement("s3:GetObject", inKeys, tt.condition)), "photos")
			require.NoError(t, err)

			allowed, _ := p.Judge(&policy.Request{
				Operation: "GetObject",
				Action:    "s3:GetObject",
				Resource:  "arn:aws:s3:::photos/k",
				Algorithm: tt.algorithm,
				SignedAt:  tt.signedAt,
				Anonymous: tt.algorithm == "",
				Now:       now,
			})
			require.Equal(t, tt.applies, allowed)
		})
	}
}

// Every action that has a counterpart for versions is an action on objects, and so is the counterpart.
func TestActionsOfVersions(t *testing.T) {
	for action, versionAction := range policy.VersionActions {
		require.True(t, policy.OnObjects(action), action)
		require.True(t, policy.OnObjects(versionAction), versionAction)
	}
}
