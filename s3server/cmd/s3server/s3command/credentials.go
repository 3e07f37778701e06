package s3command

import (
	"crypto/rand"

	"github.com/omnibucket/storage/internal/argument"
	"github.com/omnibucket/storage/s3server"
)

// pairs has the names of environment variables for the access key and its secret. The first pair
// that is set is used. MinIO's variables come first, because they are meant for a server. AWS's
// variables are meant for a client.
var pairs = [][2]string{
	{"MINIO_ROOT_USER", "MINIO_ROOT_PASSWORD"},
	{"MINIO_ACCESS_KEY", "MINIO_SECRET_KEY"}, // MinIO used these names before 2021
	{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"},
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
	for _, names := range pairs {
		c := s3server.Credential{AccessKeyID: value(names[0]), SecretKey: value(names[1])}
		if c.AccessKeyID == "" && c.SecretKey == "" {
			continue
		}
		if c.AccessKeyID == "" {
			return credentials{}, argument.Invalid("environment", "must have "+names[0]+" if it has "+names[1],
				"set both, or none of them")
		}
		if c.SecretKey == "" {
			return credentials{}, argument.Invalid("environment", "must have "+names[1]+" if it has "+names[0],
				"set both, or none of them")
		}
		if names[0] == "AWS_ACCESS_KEY_ID" {
			c.SessionToken = value("AWS_SESSION_TOKEN")
		}
		return credentials{Credential: c, variables: names[:]}, nil
	}
	for _, name := range []string{"MINIO_ROOT_USER_FILE", "MINIO_ROOT_PASSWORD_FILE", "MINIO_ACCESS_KEY_FILE", "MINIO_SECRET_KEY_FILE", "MINIO_CONFIG_ENV_FILE"} {
		// The variable is the path of a file with credentials, for MinIO. This server does not read
		// the file, so it refuses the variable. Otherwise it would use other credentials, perhaps
		// MinIO's default, which everybody knows.
		if value(name) != "" {
			return credentials{}, argument.Invalid(
				"environment", "must not have "+name+" alone, because this server reads no such file",
				"set MINIO_ROOT_USER and MINIO_ROOT_PASSWORD",
			)
		}
	}
	return credentials{
		Credential: s3server.Credential{
			AccessKeyID: "OB" + rand.Text()[:18],
			SecretKey:   (rand.Text() + rand.Text())[:40],
		},
		generated: true,
	}, nil
}
