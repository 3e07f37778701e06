package s3command

import (
	"crypto/rand"

	"github.com/omnibucket/storage/internal/argument"
	"github.com/omnibucket/storage/s3server"
)

// credentialVariables has the names of environment variables for the access key and its secret. The
// first pair that is set is used. MinIO's variables come first, because they are meant for a server.
// AWS's variables are meant for a client.
var credentialVariables = []struct{ key, secret string }{
	{key: "MINIO_ROOT_USER", secret: "MINIO_ROOT_PASSWORD"},
	{key: "MINIO_ACCESS_KEY", secret: "MINIO_SECRET_KEY"}, // MinIO used these names before 2021
	{key: "AWS_ACCESS_KEY_ID", secret: "AWS_SECRET_ACCESS_KEY"},
}

// credentialFiles has variables that are the path of a file with credentials, for MinIO.
var credentialFiles = []string{
	"MINIO_ROOT_USER_FILE",
	"MINIO_ROOT_PASSWORD_FILE",
	"MINIO_ACCESS_KEY_FILE",
	"MINIO_SECRET_KEY_FILE",
	"MINIO_CONFIG_ENV_FILE",
}

// credentials is the server's credential. If the credential comes from two environment variables, their
// names are kept, too. Otherwise the credential was generated.
type credentials struct {
	s3server.Credential
	generated bool
	variables []string
}

// findCredential returns the credential in the environment, or generates one.
func findCredential(lookup func(string) (string, bool)) (credentials, error) {
	value := func(name string) string {
		text, _ := lookup(name)
		return text
	}
	for _, names := range credentialVariables {
		c := s3server.Credential{AccessKeyID: value(names.key), SecretKey: value(names.secret)}
		if c.AccessKeyID == "" && c.SecretKey == "" {
			continue
		}

		// The first pair of variables of which one is set decides.
		if c.AccessKeyID == "" {
			return credentials{}, argument.Invalid("environment", "must have "+names.key+" if it has "+names.secret,
				"set both, or none of them")
		}
		if c.SecretKey == "" {
			return credentials{}, argument.Invalid("environment", "must have "+names.secret+" if it has "+names.key,
				"set both, or none of them")
		}

		// Only AWS's variables may have a session token.
		if names.key == "AWS_ACCESS_KEY_ID" {
			c.SessionToken = value("AWS_SESSION_TOKEN")
		}
		return credentials{Credential: c, variables: []string{names.key, names.secret}}, nil
	}

	// This server does not read the files of MinIO, so it refuses their variables. Otherwise it would
	// use other credentials, perhaps MinIO's default, which everybody knows.
	for _, name := range credentialFiles {
		if value(name) != "" {
			return credentials{}, argument.Invalid(
				"environment", "must not have "+name+" alone, because this server reads no such file",
				"set MINIO_ROOT_USER and MINIO_ROOT_PASSWORD",
			)
		}
	}

	// The environment has no credential, so generate one.
	return credentials{
		Credential: s3server.Credential{
			AccessKeyID: "OB" + rand.Text()[:18],
			SecretKey:   (rand.Text() + rand.Text())[:40],
		},
		generated: true,
	}, nil
}
