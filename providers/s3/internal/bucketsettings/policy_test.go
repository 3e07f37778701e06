package bucketsettings

import (
	"encoding/json"
	"strconv"
	"testing"

	"github.com/stretchr/testify/require"
)

const photosARN = "arn:aws:s3:::photos"

// A policy makes a bucket public if everyone may read every object.
func TestPolicyPublic(t *testing.T) {
	tests := map[string]struct {
		statement string
		want      bool
	}{
		"no statement": {statement: ``},
		"the policy of this package": {
			statement: `{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::photos/*"}`,
			want:      true,
		},
		"the policy of this package, as AWS rewrites it": {
			statement: `{"Effect":"Allow","Principal":{"AWS":"*"},"Action":["s3:GetObject"],"Resource":["arn:aws:s3:::photos/*"]}`,
			want:      true,
		},
		"everyone in a list of principals": {
			statement: `{"Effect":"Allow","Principal":{"AWS":["*"]},"Action":"s3:Get*","Resource":"arn:aws:s3:::photos/*"}`,
			want:      true,
		},
		"all actions": {
			statement: `{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}`,
			want:      true,
		},
		"one action in other case": {
			statement: `{"Effect":"Allow","Principal":"*","Action":"S3:getobjec?","Resource":"*"}`,
			want:      true,
		},
		"a part of the bucket": {
			statement: `{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::photos/public/*"}`,
		},
		"another bucket": {
			statement: `{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::others/*"}`,
		},
		"under a condition": {
			statement: `{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"*","Condition":{"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}}}`,
		},
		"only one account": {
			statement: `{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::1:root"},"Action":"s3:GetObject","Resource":"*"}`,
		},
		"only listing": {
			statement: `{"Effect":"Allow","Principal":"*","Action":"s3:ListBucket","Resource":"*"}`,
		},
		"reading allowed and all actions denied": {
			statement: `{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"*"},{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"*"}`,
		},
		"writing denied": {
			statement: `{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"*"},{"Effect":"Deny","Principal":"*","Action":"s3:PutObject","Resource":"*"}`,
			want:      true,
		},
		"all actions but one": {
			statement: `{"Effect":"Allow","Principal":"*","NotAction":"s3:DeleteObject","Resource":"*"}`,
			want:      true,
		},
		"all actions but reading": {
			statement: `{"Effect":"Allow","Principal":"*","NotAction":["s3:PutObject","s3:Get*"],"Resource":"*"}`,
		},
		"everyone but one user": {
			statement: `{"Effect":"Allow","NotPrincipal":{"AWS":"arn:aws:iam::1:user/bad"},"Action":"s3:GetObject","Resource":"*"}`,
			want:      true,
		},
		"everyone is excluded by NotPrincipal": {
			statement: `{"Effect":"Allow","NotPrincipal":{"AWS":"*"},"Action":"s3:GetObject","Resource":"*"}`,
		},
		"reading denied to everyone but one user": {
			statement: `{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"*"},{"Effect":"Deny","NotPrincipal":{"AWS":"arn:aws:iam::1:user/good"},"Action":"s3:GetObject","Resource":"*"}`,
		},
		"all actions denied but listing": {
			statement: `{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"*"},{"Effect":"Deny","Principal":"*","NotAction":"s3:ListBucket","Resource":"*"}`,
		},
		"only old versions": {
			statement: `{"Effect":"Allow","Principal":"*","Action":"s3:GetObjectVersion","Resource":"*"}`,
		},
		"everyone is excluded, in a short form": {
			statement: `{"Effect":"Allow","NotPrincipal":"*","NotAction":"s3:PutObject"}`,
		},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			p, err := parsePolicy(`{"Version":"2012-10-17","Statement":[` + tt.statement + `]}`)
			require.NoError(t, err)
			require.Equal(t, tt.want, p.allowsPublicRead(photosARN))
		})
	}
}

// Adding and removing public read leaves the other statements of a policy unchanged.
func TestPolicyKeepsOtherStatements(t *testing.T) {
	const otherStatement = `{"Sid":"Theirs","Effect":"Deny","NotPrincipal":{"AWS":"arn:aws:iam::1:root"},"Action":"s3:DeleteObject","Resource":"*"}`
	for name, document := range map[string]string{
		"in a list": `{"Version":"2008-10-17","Id":"them","Statement":[` + otherStatement + `]}`,
		"alone":     `{"Version":"2008-10-17","Id":"them","Statement":` + otherStatement + `}`,
	} {
		t.Run(name, func(t *testing.T) {
			p, err := parsePolicy(document)
			require.NoError(t, err)

			p.addPublicRead(photosARN)
			p.addPublicRead(photosARN) // This adds no second statement with the same Sid.
			require.JSONEq(t, `{"Version":"2008-10-17","Id":"them","Statement":[`+otherStatement+`,
				{"Sid":"OmnibucketPublicRead","Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::photos/*"}]}`, p.String())

			require.True(t, p.removeAnonymousRead())
			require.False(t, p.removeAnonymousRead(), "no such statement may be left")
			require.JSONEq(t, `{"Version":"2008-10-17","Id":"them","Statement":[`+otherStatement+`]}`, p.String())
		})
	}
}

// If a bucket has no policy, the text of its policy is empty. The text is empty again after public
// read was added and removed.
func TestPolicyWithoutStatements(t *testing.T) {
	p, err := parsePolicy("")
	require.NoError(t, err)
	require.Empty(t, p.String())

	p.addPublicRead(photosARN)
	require.JSONEq(t, `{"Version":"2012-10-17","Statement":[{"Sid":"OmnibucketPublicRead","Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::photos/*"}]}`, p.String())

	require.True(t, p.removeAnonymousRead())
	require.Empty(t, p.String())
}

// A policy that is not JSON is an error.
func TestPolicyOfNoJSON(t *testing.T) {
	_, err := parsePolicy("<html>")
	require.Error(t, err)
}

// removeAnonymousRead removes each statement that lets everyone read, and no other.
func TestPolicyRemoveAnonymousRead(t *testing.T) {
	tests := map[string]struct {
		statement   string
		wantRemoved bool
	}{
		"under any condition": {
			statement:   `{"Effect":"Allow","Principal":"*","Action":["s3:ListBucket","s3:GetObject"],"Resource":"arn:aws:s3:::photos/a/*","Condition":{"StringLike":{"aws:Referer":"x"}}}`,
			wantRemoved: true,
		},
		"versions": {
			statement:   `{"Effect":"Allow","Principal":"*","Action":"s3:GetObjectVersion","Resource":"*"}`,
			wantRemoved: true,
		},
		"all actions but one": {
			statement:   `{"Effect":"Allow","Principal":"*","NotAction":"s3:DeleteObject","Resource":"*"}`,
			wantRemoved: true,
		},
		"all users but one": {
			statement:   `{"Effect":"Allow","NotPrincipal":{"AWS":"arn:aws:iam::1:user/bad"},"Action":"s3:GetObject","Resource":"*"}`,
			wantRemoved: true,
		},
		"a statement for a user stays": {
			statement: `{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::1:root"},"NotAction":"s3:DeleteObject","Resource":"*"}`,
		},
		"no read is allowed": {
			statement: `{"Effect":"Allow","Principal":"*","NotAction":"s3:Get*","Resource":"*"}`,
		},
		"a denial stays": {
			statement: `{"Effect":"Deny","NotPrincipal":{"AWS":"arn:aws:iam::1:root"},"NotAction":"s3:DeleteObject","Resource":"*"}`,
		},
	}

	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			p, err := parsePolicy(`{"Statement":[` + tt.statement + `]}`)
			require.NoError(t, err)

			require.Equal(t, tt.wantRemoved, p.removeAnonymousRead())
			require.Equal(t, tt.wantRemoved, p.String() == "")
		})
	}
}

// The wildcards * and ? in an action match as on Amazon. Here, they must match the action
// "s3:getobject".
func TestPolicyWildcards(t *testing.T) {
	for pattern, want := range map[string]bool{
		"s3:getobject":        true,
		"*":                   true,
		"s3:*":                true,
		"s3:get*":             true,
		"*object":             true,
		"s?:get*t":            true,
		"s3:**":               true,
		"":                    false,
		"s3:get":              false,
		"s3:getobjectversion": false,
		"s3:put*":             false,
		"s3:getobject?":       false,
	} {
		t.Run(strconv.Quote(pattern), func(t *testing.T) {
			statement := policyStatement{Action: json.RawMessage(strconv.Quote(pattern))}
			require.Equal(t, want, statement.matchesAction(readObject))
		})
	}
}
