package main

import (
	"net/http"
	"os"
	"path/filepath"
	"testing"

	"filippo.io/age"
	"github.com/stretchr/testify/require"

	"github.com/omnibucket/storage/internal/testing/kmsserver"
)

const (
	firstKey  = "arn:aws:kms:eu-west-1:111122223333:key/first"
	secondKey = "arn:aws:kms:eu-west-1:111122223333:key/second"
)

// startKMS starts a test server of AWS KMS with two keys, and sets the environment variables that
// lead to it.
func startKMS(t *testing.T) *kmsserver.Server {
	kms := kmsserver.StartAWS(t)
	kms.AddKey(firstKey)
	kms.AddKey(secondKey)
	t.Setenv("AWS_ENDPOINT_URL_KMS", kms.URL)
	t.Setenv("AWS_ACCESS_KEY_ID", kmsserver.AccessKeyID)
	t.Setenv("AWS_SECRET_ACCESS_KEY", kmsserver.SecretKey)
	t.Setenv("AWS_CONFIG_FILE", os.DevNull)
	t.Setenv("AWS_SHARED_CREDENTIALS_FILE", os.DevNull)
	return kms
}

// A location may be encrypted for a key of a key management service. An offline identity can also read the objects, and
// the key may be replaced.
func TestKMSLocation(t *testing.T) {
	kms := startKMS(t)
	offline, err := age.GenerateX25519Identity()
	require.NoError(t, err)
	address := newDirectoryAddress(t)

	// All locations are the same bucket. box encrypts for the first key and the offline identity.
	// rotated encrypts for the second key. rotating decrypts with the first key, and encrypts for
	// the second one. emergency has only the offline identity.
	layer := func(key string) string {
		return "    address: " + address + "\n    layers:\n    - encrypt: {" + key + "}\n"
	}
	s, _ := newConfiguredShell(t, "locations:\n  plain: "+address+
		"\n  box:\n"+layer("recipients: [awskms:"+firstKey+", "+offline.Recipient().String()+"]")+
		"  rotating:\n"+layer("recipients: [awskms:"+secondKey+"], decrypt_with: [awskms:"+firstKey+"]")+
		"  rotated:\n"+layer("recipients: [awskms:"+secondKey+"]")+
		"  emergency:\n"+layer("identity_variable: OFFLINE"))
	s.env["OFFLINE"] = offline.String()

	// The service encrypts and decrypts once for an object. The offline identity needs no service.
	s.put("box:a", "secret")
	require.Equal(t, "secret", s.run("cat", "box:a"))
	require.Equal(t, "secret", s.run("cat", "emergency:a"), "without the service")
	require.NotContains(t, s.run("cat", "plain:a"), "secret")
	require.Equal(t, 1, kms.Count("Encrypt"))
	require.Equal(t, 1, kms.Count("Decrypt"))

	// A copy onto itself encrypts the object for the second key.
	s.run("cp", "rotating:a", "rotating:a")
	require.Equal(t, "secret", s.run("cat", "rotated:a"))
	_, stderr := s.requireExit(exitFailure, "cat", "box:a")
	require.Contains(t, stderr, "permission denied")

	// The service refuses a disabled key.
	kms.SetState(secondKey, "disabled")
	_, stderr = s.requireExit(exitFailure, "cat", "rotated:a")
	require.Contains(t, stderr, "permission denied")
	require.Contains(t, stderr, "enable the key")
	kms.SetState(secondKey, "")

	// serve decrypts the objects, too.
	url := s.serve("rotated:")
	status, body := get(t, url+"a")
	require.Equal(t, http.StatusOK, status)
	require.Equal(t, "secret", body)
}

// A gateway encrypts with a key of a key management service.
func TestKMSGateway(t *testing.T) {
	kms := startKMS(t)
	dir := filepath.ToSlash(t.TempDir())
	s, _ := newConfiguredShell(t, "locations:\n  box:\n    address: file://"+dir+"\n    layers: [{encrypt: {recipients: ['awskms:"+firstKey+"']}}]\n")
	parameters := "?path_style=true&region=us-east-1&endpoint=" + s.serveS3("--create", "year", "box:")

	s.put("s3://year/a"+parameters, "secret")
	require.Equal(t, "secret", s.run("cat", "s3://year/a"+parameters))
	require.NotContains(t, s.run("cat", "file://"+dir+"/year#a"), "secret")
	require.NotZero(t, kms.Count("Encrypt"))
}

// A key must have the form of its key management service. The error message does not contain the key.
func TestKMSInvalidKeys(t *testing.T) {
	tests := []struct{ name, encrypt, wantErr string }{
		{
			name:    "an alias",
			encrypt: "recipients: ['awskms:alias/hunter2']",
			wantErr: "encrypt: the key must be the ARN",
		},
		{
			name:    "a version",
			encrypt: "recipients: ['googlekms:hunter2']",
			wantErr: "encrypt: the key must be projects/PROJECT",
		},
		{
			name:    "no URL",
			encrypt: "recipients: ['azurekeyvault:hunter2']",
			wantErr: "encrypt: the key must be https://",
		},
		{
			name:    "another service",
			encrypt: "recipients: ['vault:hunter2']",
			wantErr: "or keys of a service: awskms:ARN",
		},
		{
			name:    "an identity that decrypts",
			encrypt: "recipients: ['awskms:" + firstKey + "'], decrypt_with: [AGE-SECRET-KEY-hunter2]",
			wantErr: "decrypt_with must be keys of a service",
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			startKMS(t)
			s := newLayeredShell(t, "    - encrypt: {"+tt.encrypt+"}\n")
			_, stderr := s.requireExit(exitUsage, "cat", "box:a")
			require.Contains(t, stderr, tt.wantErr)
			require.NotContains(t, stderr, "hunter2")
		})
	}
}
