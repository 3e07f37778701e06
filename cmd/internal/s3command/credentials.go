package s3command

import (
	"crypto/rand"

	"github.com/omnibucket/storage/internal/argument"
	"github.com/omnibucket/storage/s3server"
)

// pairs are the environment variables with credentials. The first pair that is set
// decides: MinIO's variables name a server's credentials, and AWS's those of a client.
var pairs = [][2]string{
	{"MINIO_ROOT_USER", "MINIO_ROOT_PASSWORD"},
	{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"},
}

// findCredential returns the credential in the environment, or generates one.
func findCredential(lookup func(string) (string, bool)) (c s3server.Credential, generated bool, err error) {
	value := func(name string) string {
		text, _ := lookup(name)
		return text
	}
	for _, names := range pairs {
		c := s3server.Credential{AccessKeyID: value(names[0]), SecretKey: value(names[1])}
		switch {
		case c.AccessKeyID == "" && c.SecretKey == "":
			continue
		case c.AccessKeyID == "":
			return s3server.Credential{}, false, argument.Invalid("environment", "must have "+names[0]+" if it has "+names[1], "set both, or none of them")
		case c.SecretKey == "":
			return s3server.Credential{}, false, argument.Invalid("environment", "must have "+names[1]+" if it has "+names[0], "set both, or none of them")
		}
		if names[0] == "AWS_ACCESS_KEY_ID" {
			c.SessionToken = value("AWS_SESSION_TOKEN")
		}
		return c, false, nil
	}
	return s3server.Credential{AccessKeyID: "OB" + rand.Text()[:18], SecretKey: (rand.Text() + rand.Text())[:40]}, true, nil
}
