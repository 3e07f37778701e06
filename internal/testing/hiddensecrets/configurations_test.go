//go:build omnibucket_sdks

// A build tag selects this file, because linking the SDKs of all providers takes four seconds of processor time.

// Package hiddensecrets_test tests that configurations and credentials of all packages print no secret. It is no test of
// package redact, because "go mod tidy" of a program gets what the tests of imported packages import.
package hiddensecrets_test

import (
	"bytes"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net/http"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/providers/azure"
	"github.com/omnibucket/storage/providers/gcs"
	"github.com/omnibucket/storage/providers/local"
	"github.com/omnibucket/storage/providers/s3"
	"github.com/omnibucket/storage/s3server"
	"github.com/omnibucket/storage/uploads"
)

const secret = "omnibucket-secret-of-a-test"

// If a program prints or logs a configuration, credentials or a server, no secret is in the output.
func TestConfigurationsAndCredentialsShowNoSecret(t *testing.T) {
	files, err := uploads.New(memstore.New(), uploads.Config{
		TokenKey:  []byte(secret),
		Authorize: func(*http.Request) (uploads.User, error) { return uploads.User{}, nil },
	})
	require.NoError(t, err)
	server := s3server.Config{
		Region:      "shown",
		AdminToken:  secret,
		WebhookURL:  "https://hooks.test/" + secret,
		Credentials: []s3server.Credential{{AccessKeyID: "shown", SecretKey: secret, SessionToken: secret}},
		TLS:         &tls.Config{ServerName: secret},
	}
	tests := []struct {
		name  string
		value any
		shows string
	}{
		{
			name: "s3.Config",
			value: s3.Config{
				Bucket:       "shown",
				SecretKey:    secret,
				SessionToken: secret,
				AWS:          &aws.Config{AppID: secret},
			},
			shows: "{Bucket:shown SecretKey:REDACTED SessionToken:REDACTED AWS:*aws.Config}",
		},
		{
			name:  "a pointer to it",
			value: &s3.Config{Bucket: "shown", SecretKey: secret},
			shows: "{Bucket:shown SecretKey:REDACTED}",
		},
		{
			name:  "s3.PrefixCredentials",
			value: s3.PrefixCredentials{AccessKeyID: "shown", SecretKey: secret, SessionToken: secret},
			shows: "{AccessKeyID:shown SecretKey:REDACTED SessionToken:REDACTED}",
		},
		{
			name:  "gcs.Config",
			value: gcs.Config{Bucket: "shown", CredentialsJSON: []byte(secret), SigningKey: []byte(secret)},
			shows: "{Bucket:shown CredentialsJSON:REDACTED SigningKey:REDACTED}",
		},
		{
			name:  "gcs.PrefixCredentials",
			value: gcs.PrefixCredentials{Prefix: "shown", AccessToken: secret},
			shows: "{Prefix:shown AccessToken:REDACTED}",
		},
		{
			name:  "azure.Config",
			value: azure.Config{Account: "shown", Key: secret, SASToken: secret, ConnectionString: secret},
			shows: "{Account:shown Key:REDACTED SASToken:REDACTED ConnectionString:REDACTED}",
		},
		{
			name:  "azure.PrefixCredentials",
			value: azure.PrefixCredentials{Prefix: "shown", SASToken: secret},
			shows: "{Prefix:shown SASToken:REDACTED}",
		},
		{
			name:  "local.Config",
			value: local.Config{SigningKeys: local.SigningKeys{[]byte(secret)}},
			shows: "REDACTED",
		},
		{
			name:  "memstore.Config",
			value: memstore.Config{SigningKeys: memstore.SigningKeys{[]byte(secret)}},
			shows: "REDACTED",
		},
		{
			name:  "s3server.Config",
			value: server,
			shows: "{Credentials:[{AccessKeyID:shown SecretKey:REDACTED SessionToken:REDACTED}] " +
				"Region:shown WebhookURL:REDACTED AdminToken:REDACTED TLS:*tls.Config}",
		},
		{name: "s3server.Handler", value: s3server.New(server), shows: ""},
		{
			name:  "uploads.Config",
			value: uploads.Config{Prefix: "shown", TokenKey: []byte(secret)},
			shows: "{Prefix:shown TokenKey:REDACTED}",
		},
		{name: "uploads.Service", value: files, shows: ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for _, verb := range []string{"%v", "%+v", "%#v", "%d", "%x"} {
				requireHidden(t, fmt.Sprintf(verb, tt.value))
				requireHidden(t, fmt.Sprintf(verb, struct{ Value any }{tt.value}))
			}
			require.Contains(t, fmt.Sprintf("%+v", tt.value), tt.shows)
			var log bytes.Buffer
			slog.New(slog.NewTextHandler(&log, nil)).Info("opened", "value", tt.value)
			slog.New(slog.NewJSONHandler(&log, nil)).Info("opened", "value", tt.value)
			requireHidden(t, log.String())
		})
	}
}

// requireHidden fails if a text has the secret as text, or its bytes as fmt writes them.
func requireHidden(t *testing.T, text string) {
	for _, verb := range []string{"%s", "%x", "%d"} {
		require.NotContains(t, text, fmt.Sprintf(verb, []byte(secret)))
	}
	require.NotContains(t, text, fmt.Sprintf("%#v", []byte(secret))[len("[]byte{"):])
}
