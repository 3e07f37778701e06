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

// allowing returns an Allow for everyone, and denying a Deny.
func allowing(action, resource, condition string) string {
	return statement("Allow", action, resource, condition)
}

func denying(action, resource, condition string) string {
	return statement("Deny", action, resource, condition)
}

func statement(effect, action, resource, condition string) string {
	if condition != "" {
		condition = `,"Condition":` + condition
	}
	return fmt.Sprintf(`{"Effect":%q,"Principal":"*","Action":%q,"Resource":%s%s}`, effect, action, resource, condition)
}

func document(statements string) []byte {
	return []byte(`{"Version":"2012-10-17","Statement":[` + statements + `]}`)
}

// Parse refuses policies that the server does not understand.
func TestParseRefuses(t *testing.T) {
	for name, test := range map[string]struct{ statements, code string }{
		"an unknown key":               {denying("s3:*", inKeys, `{"StringEquals":{"aws:Weather":"rain"}}`), "MalformedPolicy"},
		"an unknown operator":          {denying("s3:*", inKeys, `{"StringResembles":{"aws:Referer":"x"}}`), "MalformedPolicy"},
		"an unknown element":           {`{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":` + inKeys + `,"Unless":"x"}`, "MalformedPolicy"},
		"an unknown action":            {denying("s3:FlyObject", inKeys, ""), "MalformedPolicy"},
		"an action of another service": {denying("ec2:RunInstances", inKeys, ""), "MalformedPolicy"},
		"no principal":                 {`{"Effect":"Deny","Action":"s3:*","Resource":` + inKeys + `}`, "MalformedPolicy"},
		"two principals":               {`{"Effect":"Deny","Principal":"*","NotPrincipal":"*","Action":"s3:*","Resource":` + inKeys + `}`, "MalformedPolicy"},
		"Allow with NotPrincipal":      {`{"Effect":"Allow","NotPrincipal":{"AWS":"1"},"Action":"s3:*","Resource":` + inKeys + `}`, "MalformedPolicy"},
		"a principal with a wildcard":  {`{"Effect":"Deny","Principal":{"AWS":"arn:aws:iam::1:*"},"Action":"s3:*","Resource":` + inKeys + `}`, "MalformedPolicy"},
		"a principal of unknown kind":  {`{"Effect":"Deny","Principal":{"Animal":"*"},"Action":"s3:*","Resource":` + inKeys + `}`, "MalformedPolicy"},
		"a principal without names":    {`{"Effect":"Deny","Principal":{},"Action":"s3:*","Resource":` + inKeys + `}`, "MalformedPolicy"},
		"an unknown effect":            {`{"Effect":"deny","Principal":"*","Action":"s3:*","Resource":` + inKeys + `}`, "MalformedPolicy"},
		"an element twice":             {`{"Effect":"Deny","Effect":"Allow","Principal":"*","Action":"s3:*","Resource":` + inKeys + `}`, "MalformedPolicy"},
		"an element in two cases":      {`{"Effect":"Deny","effect":"Allow","Principal":"*","Action":"s3:*","Resource":` + inKeys + `}`, "MalformedPolicy"},
		"a condition twice":            {denying("s3:*", inKeys, `{"Null":{"aws:Referer":"true"},"Null":{"aws:UserAgent":"true"}}`), "MalformedPolicy"},
		"a condition that is null":     {denying("s3:*", inKeys, `null`), "MalformedPolicy"},
		"an operator without a key":    {denying("s3:*", inKeys, `{"Null":{}}`), "MalformedPolicy"},
		"a key without a value":        {denying("s3:*", inKeys, `{"StringEquals":{"aws:Referer":[]}}`), "MalformedPolicy"},
		"an invalid network":           {denying("s3:*", inKeys, `{"IpAddress":{"aws:SourceIp":"here"}}`), "MalformedPolicy"},
		"an invalid number":            {denying("s3:*", inKeys, `{"NumericEquals":{"s3:max-keys":"ten"}}`), "MalformedPolicy"},
		"an invalid date":              {denying("s3:*", inKeys, `{"DateEquals":{"aws:CurrentTime":"soon"}}`), "MalformedPolicy"},
		"an invalid truth":             {denying("s3:*", inKeys, `{"Bool":{"aws:SecureTransport":"maybe"}}`), "MalformedPolicy"},
		"a variable":                   {denying("s3:*", `"arn:aws:s3:::photos/${aws:username}/*"`, ""), "NotImplemented"},
		"a variable in a special one": {
			denying("s3:*", `"arn:aws:s3:::photos/$${*}{aws:username}/${aws:userid}"`, ""), "NotImplemented",
		},
		"a variable in escapes":        {denying("s3:*", `"arn:aws:s3:::photos/\u0024\u007Baws:username}/*"`, ""), "NotImplemented"},
		"an empty list of actions":     {`{"Effect":"Deny","Principal":"*","Action":[],"NotAction":"s3:GetObject","Resource":` + inKeys + `}`, "MalformedPolicy"},
		"the same id twice":            {strings.Repeat(`{"Sid":"a","Effect":"Deny","Principal":"*","Action":"s3:*","Resource":`+inKeys+`},`, 2) + allowGet, "MalformedPolicy"},
		"a resource of another bucket": {denying("s3:*", `"arn:aws:s3:::other/*"`, ""), "MalformedPolicy"},
		"an action not of the object":  {denying("s3:ListBucket", inKeys, ""), "MalformedPolicy"},
		"an action not of the bucket":  {denying("s3:GetObject", inBucket, ""), "MalformedPolicy"},
		"one not of the object":        {strings.Replace(allowGet, `"s3:GetObject"`, `["s3:GetObject","s3:ListBucket"]`, 1), "MalformedPolicy"}, // aws-amplify/docs#7799
		"no statement":                 {"", "MalformedPolicy"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := policy.Parse(document(test.statements), "photos")
			require.True(t, s3error.Is(err, test.code), err)
		})
	}
	_, err := policy.Restore(document(denying("s3:ListBucket", inKeys, "")), "photos")
	require.NoError(t, err, "an earlier server has stored it")
	for name, test := range map[string]struct{ document, code string }{
		"another version":     {`{"Version":"2026-01-01","Statement":[` + allowGet + `]}`, "MalformedPolicy"},
		"statements twice":    {`{"Statement":[` + allowGet + `],"Statement":[]}`, "MalformedPolicy"},
		"a second document":   {`{"Statement":[` + allowGet + `]} {}`, "MalformedPolicy"},
		"a very deep one":     {strings.Repeat("[", 10_000), "MalformedPolicy"},
		"one that is too big": {`{"Statement":` + strings.Repeat(" ", 20<<10) + `[` + allowGet + `]}`, "PolicyTooLarge"},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := policy.Parse([]byte(test.document), "photos")
			require.True(t, s3error.Is(err, test.code), err)
		})
	}
}

// Whether a policy counts as public follows AWS's definition.
func TestPublicIsAWSsRule(t *testing.T) {
	tests := map[string]struct {
		statement string
		public    bool
	}{
		"everyone":                    {allowGet, true},
		"everyone, who says so":       {strings.Replace(allowGet, `"*"`, `{"AWS":"*"}`, 1), true},
		"an account":                  {strings.Replace(allowGet, `"*"`, `{"AWS":"210987654321"}`, 1), false},
		"a network":                   {allowing("s3:GetObject", inKeys, `{"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}}`), false},
		"a network that is very wide": {allowing("s3:GetObject", inKeys, `{"IpAddress":{"aws:SourceIp":"0.0.0.0/1"}}`), true},
		"all but a network":           {allowing("s3:GetObject", inKeys, `{"NotIpAddress":{"aws:SourceIp":"10.0.0.0/8"}}`), true},
		"a referer":                   {allowing("s3:GetObject", inKeys, `{"StringLike":{"aws:Referer":"http://e.com/*"}}`), true},
		"an organization":             {allowing("s3:GetObject", inKeys, `{"StringEquals":{"aws:PrincipalOrgID":"o-1"}}`), false},
		"any organization":            {allowing("s3:GetObject", inKeys, `{"StringLike":{"aws:PrincipalOrgID":"o-*"}}`), true},
		"a Deny":                      {denying("s3:GetObject", inKeys, ""), false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			p, err := policy.Parse(document(tt.statement), "photos")
			require.NoError(t, err)
			require.Equal(t, tt.public, p.Public())
		})
	}
}

// An Allow with a condition applies only to requests that meet the condition.
func TestConditions(t *testing.T) {
	request := func(change func(r *policy.Request)) *policy.Request {
		r := &policy.Request{
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
		if change != nil {
			change(r)
		}
		return r
	}
	tests := map[string]struct {
		condition string
		applies   bool
	}{
		"an equal text":                        {`{"StringEquals":{"aws:Referer":"http://example.com/a"}}`, true},
		"another text":                         {`{"StringEquals":{"aws:Referer":["b","c"]}}`, false},
		"one of several texts":                 {`{"StringEquals":{"aws:Referer":["b","http://example.com/a"]}}`, true},
		"a pattern":                            {`{"StringLike":{"aws:Referer":"http://example.com/*"}}`, true},
		"no such pattern":                      {`{"StringNotLike":{"aws:Referer":"http://example.com/*"}}`, false},
		"none of several patterns":             {`{"StringNotLike":{"aws:Referer":["b*","http://example.com/*"]}}`, false},
		"a key that is not there":              {`{"StringEquals":{"aws:UserAgent":"x"}}`, false},
		"a key that is not there, IfExists":    {`{"StringEqualsIfExists":{"aws:UserAgent":"x"}}`, true},
		"a key that is not there, negated":     {`{"StringNotEquals":{"aws:UserAgent":"x"}}`, true},
		"a key that must not be there":         {`{"Null":{"aws:UserAgent":"true"}}`, true},
		"a key that must be there":             {`{"Null":{"aws:UserAgent":"false"}}`, false},
		"a network":                            {`{"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}}`, true},
		"another network":                      {`{"IpAddress":{"aws:SourceIp":"192.168.0.0/16"}}`, false},
		"not from a network":                   {`{"NotIpAddress":{"aws:SourceIp":"10.0.0.0/8"}}`, false},
		"a number":                             {`{"NumericLessThanEquals":{"s3:max-keys":"10"}}`, true},
		"a smaller number":                     {`{"NumericLessThan":{"s3:max-keys":"10"}}`, false},
		"a time before":                        {`{"DateLessThan":{"aws:CurrentTime":"2027-01-01"}}`, true},
		"a time after":                         {`{"DateGreaterThan":{"aws:CurrentTime":"2027-01-01T00:00:00Z"}}`, false},
		"without TLS":                          {`{"Bool":{"aws:SecureTransport":"false"}}`, true},
		"a tag":                                {`{"StringEquals":{"s3:ExistingObjectTag/Team":"a"}}`, true},
		"the name of a tag in other case":      {`{"StringEquals":{"s3:ExistingObjectTag/team":"a"}}`, false},
		"two conditions of which one fails":    {`{"StringLike":{"aws:Referer":"*"},"Null":{"aws:Referer":"true"}}`, false},
		"all values of a key that has none":    {`{"ForAllValues:StringEquals":{"aws:UserAgent":"x"}}`, true},
		"any of the values of one that has no": {`{"ForAnyValue:StringEquals":{"aws:UserAgent":"x"}}`, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			p, err := policy.Parse(document(allowing("s3:GetObject", inKeys, tt.condition)), "photos")
			require.NoError(t, err)
			allowed, denied := p.Judge(request(nil))
			require.Equal(t, tt.applies, allowed)
			require.False(t, denied)
		})
	}

	p, err := policy.Parse(document(allowGet+","+denying("s3:*", inKeys, `{"Null":{"aws:Referer":"true"}}`)), "photos")
	require.NoError(t, err)
	allowed, denied := p.Judge(request(func(r *policy.Request) {
		r.Header = nil
	}))
	require.True(t, allowed && denied, "both statements apply")

	allowed, denied = p.Judge(request(func(r *policy.Request) {
		r.Action = "s3:PutObject"
	}))
	require.False(t, allowed || denied)
}

// A condition can limit the age of a request's signature.
func TestConditionOfSignatureAge(t *testing.T) {
	tests := map[string]struct {
		algorithm, at, condition string
		applies                  bool
	}{
		"of version 4": {
			algorithm: "AWS4-HMAC-SHA256",
			at:        "20260228T235900Z",
			condition: `{"NumericEquals":{"s3:signatureAge":"60000"}}`,
			applies:   true,
		},
		"of version 2":          {algorithm: "AWS", condition: `{"NumericEquals":{"s3:signatureAge":"0"}}`, applies: true},
		"of nobody's signature": {algorithm: "", condition: `{"Null":{"s3:signatureAge":"false"}}`},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			p, err := policy.Parse(document(allowing("s3:GetObject", inKeys, tt.condition)), "photos")
			require.NoError(t, err)
			allowed, _ := p.Judge(&policy.Request{
				Operation: "GetObject",
				Action:    "s3:GetObject",
				Resource:  "arn:aws:s3:::photos/k",
				Algorithm: tt.algorithm,
				SignedAt:  tt.at,
				Anonymous: tt.algorithm == "",
				Now:       time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC),
			})
			require.Equal(t, tt.applies, allowed)
		})
	}
}

// Each action that has a counterpart for versions is an action on objects, and so is the counterpart.
func TestActionsOfVersions(t *testing.T) {
	for action, versionAction := range policy.VersionActions {
		require.True(t, policy.OnObjects(action) && policy.OnObjects(versionAction), "%s, %s", action, versionAction)
	}
}
