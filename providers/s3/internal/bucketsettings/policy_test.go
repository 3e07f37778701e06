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
		"nothing":                    {``, false},
		"ours":                       {`{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::photos/*"}`, true},
		"as AWS rewrites it":         {`{"Effect":"Allow","Principal":{"AWS":"*"},"Action":["s3:GetObject"],"Resource":["arn:aws:s3:::photos/*"]}`, true},
		"in a list of principals":    {`{"Effect":"Allow","Principal":{"AWS":["*"]},"Action":"s3:Get*","Resource":"arn:aws:s3:::photos/*"}`, true},
		"all actions":                {`{"Effect":"Allow","Principal":"*","Action":"*","Resource":"*"}`, true},
		"one action in other case":   {`{"Effect":"Allow","Principal":"*","Action":"S3:getobjec?","Resource":"*"}`, true},
		"a part of the bucket":       {`{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::photos/public/*"}`, false},
		"another bucket":             {`{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::others/*"}`, false},
		"under a condition":          {`{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"*","Condition":{"IpAddress":{"aws:SourceIp":"10.0.0.0/8"}}}`, false},
		"an account":                 {`{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::1:root"},"Action":"s3:GetObject","Resource":"*"}`, false},
		"only listing":               {`{"Effect":"Allow","Principal":"*","Action":"s3:ListBucket","Resource":"*"}`, false},
		"allowed and denied":         {`{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"*"},{"Effect":"Deny","Principal":"*","Action":"s3:*","Resource":"*"}`, false},
		"writing denied":             {`{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"*"},{"Effect":"Deny","Principal":"*","Action":"s3:PutObject","Resource":"*"}`, true},
		"all actions but one":        {`{"Effect":"Allow","Principal":"*","NotAction":"s3:DeleteObject","Resource":"*"}`, true},
		"all actions but reading":    {`{"Effect":"Allow","Principal":"*","NotAction":["s3:PutObject","s3:Get*"],"Resource":"*"}`, false},
		"all but one user":           {`{"Effect":"Allow","NotPrincipal":{"AWS":"arn:aws:iam::1:user/bad"},"Action":"s3:GetObject","Resource":"*"}`, true},
		"all but everyone":           {`{"Effect":"Allow","NotPrincipal":{"AWS":"*"},"Action":"s3:GetObject","Resource":"*"}`, false},
		"denied to all but one user": {`{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"*"},{"Effect":"Deny","NotPrincipal":{"AWS":"arn:aws:iam::1:user/good"},"Action":"s3:GetObject","Resource":"*"}`, false},
		"all denied but listing":     {`{"Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"*"},{"Effect":"Deny","Principal":"*","NotAction":"s3:ListBucket","Resource":"*"}`, false},
		"only old versions":          {`{"Effect":"Allow","Principal":"*","Action":"s3:GetObjectVersion","Resource":"*"}`, false},
		"everyone is excluded":       {`{"Effect":"Allow","NotPrincipal":"*","NotAction":"s3:PutObject"}`, false},
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
	const theirs = `{"Sid":"Theirs","Effect":"Deny","NotPrincipal":{"AWS":"arn:aws:iam::1:root"},"Action":"s3:DeleteObject","Resource":"*"}`
	for name, document := range map[string]string{
		"in a list": `{"Version":"2008-10-17","Id":"them","Statement":[` + theirs + `]}`,
		"alone":     `{"Version":"2008-10-17","Id":"them","Statement":` + theirs + `}`,
	} {
		t.Run(name, func(t *testing.T) {
			p, err := parsePolicy(document)
			require.NoError(t, err)
			p.addPublicRead(photosARN)
			p.addPublicRead(photosARN) // a Sid stands once
			require.JSONEq(t, `{"Version":"2008-10-17","Id":"them","Statement":[`+theirs+`,
				{"Sid":"OmnibucketPublicRead","Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::photos/*"}]}`, p.String())

			require.True(t, p.removeAnonymousRead())
			require.False(t, p.removeAnonymousRead())
			require.JSONEq(t, `{"Version":"2008-10-17","Id":"them","Statement":[`+theirs+`]}`, p.String())
		})
	}
}

// A policy without statements is empty.
func TestPolicyWithoutStatements(t *testing.T) {
	p, err := parsePolicy("")
	require.NoError(t, err)
	require.Empty(t, p.String())
	p.addPublicRead(photosARN)
	require.JSONEq(t, `{"Version":"2012-10-17","Statement":[{"Sid":"OmnibucketPublicRead","Effect":"Allow","Principal":"*","Action":"s3:GetObject","Resource":"arn:aws:s3:::photos/*"}]}`, p.String())
	require.True(t, p.removeAnonymousRead())
	require.Empty(t, p.String())

	_, err = parsePolicy("<html>")
	require.Error(t, err)
}

// removeAnonymousRead removes each statement that lets everyone read.
func TestPolicyRemoveAnonymousRead(t *testing.T) {
	tests := map[string]struct {
		statement string
		removed   bool
	}{
		"under any condition":          {`{"Effect":"Allow","Principal":"*","Action":["s3:ListBucket","s3:GetObject"],"Resource":"arn:aws:s3:::photos/a/*","Condition":{"StringLike":{"aws:Referer":"x"}}}`, true},
		"versions":                     {`{"Effect":"Allow","Principal":"*","Action":"s3:GetObjectVersion","Resource":"*"}`, true},
		"all actions but one":          {`{"Effect":"Allow","Principal":"*","NotAction":"s3:DeleteObject","Resource":"*"}`, true},
		"all users but one":            {`{"Effect":"Allow","NotPrincipal":{"AWS":"arn:aws:iam::1:user/bad"},"Action":"s3:GetObject","Resource":"*"}`, true},
		"a statement for a user stays": {`{"Effect":"Allow","Principal":{"AWS":"arn:aws:iam::1:root"},"NotAction":"s3:DeleteObject","Resource":"*"}`, false},
		"no read is allowed":           {`{"Effect":"Allow","Principal":"*","NotAction":"s3:Get*","Resource":"*"}`, false},
		"a denial stays":               {`{"Effect":"Deny","NotPrincipal":{"AWS":"arn:aws:iam::1:root"},"NotAction":"s3:DeleteObject","Resource":"*"}`, false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			p, err := parsePolicy(`{"Statement":[` + tt.statement + `]}`)
			require.NoError(t, err)
			require.Equal(t, tt.removed, p.removeAnonymousRead())
			require.Equal(t, tt.removed, p.String() == "")
		})
	}
}

// A wildcard of a policy matches as on Amazon.
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
		statement := policyStatement{Action: json.RawMessage(strconv.Quote(pattern))}
		require.Equal(t, want, statement.matchesAction(readObject), pattern)
	}
}
