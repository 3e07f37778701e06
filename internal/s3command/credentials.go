package s3command

import (
	"crypto/rand"

	"github.com/omnibucket/storage/internal/argument"
)

// A credential is what clients sign requests with.
type credential struct {
	accessKeyID, secretKey, sessionToken string
	generated                            bool
}

// pairs are the environment variables with credentials. The first pair that is set
// decides: MinIO's variables name a server's credentials, and AWS's those of a client.
var pairs = [][2]string{
	{"MINIO_ROOT_USER", "MINIO_ROOT_PASSWORD"},
	{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"},
}

// findCredential returns the credential in the environment, or generates one.
func findCredential(lookup func(string) (string, bool)) (credential, error) {
	value := func(name string) string {
		text, _ := lookup(name)
		return text
	}
	for _, names := range pairs {
		c := credential{accessKeyID: value(names[0]), secretKey: value(names[1])}
		switch {
		case c.accessKeyID == "" && c.secretKey == "":
			continue
		case c.accessKeyID == "":
			return credential{}, argument.Invalid("environment", "must have "+names[0]+" if it has "+names[1], "set both, or none of them")
		case c.secretKey == "":
			return credential{}, argument.Invalid("environment", "must have "+names[1]+" if it has "+names[0], "set both, or none of them")
		}
		if names[0] == "AWS_ACCESS_KEY_ID" {
			c.sessionToken = value("AWS_SESSION_TOKEN")
		}
		return c, nil
	}
	return credential{
		accessKeyID: "OB" + rand.Text()[:18],
		secretKey:   (rand.Text() + rand.Text())[:40],
		generated:   true,
	}, nil
}
