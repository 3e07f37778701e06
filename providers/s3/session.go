package s3

import (
	"context"
	"os"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
)

// longestSession limits signatures with a session whose expiry is unknown. The session of
// a role lasts for 12 hours at most.
// https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
const longestSession = 12 * time.Hour

// environmentExpiry returns when the credentials of the environment expire, or zero. The
// variable is set by "aws configure export-credentials --format env", and the SDK does
// not read it.
func environmentExpiry() time.Time {
	end, err := time.Parse(time.RFC3339, os.Getenv("AWS_CREDENTIAL_EXPIRATION"))
	if err != nil {
		return time.Time{}
	}
	return end.UTC()
}

// currentCredentials returns the credentials, with their expiry if it is known.
func (a *account) currentCredentials(ctx context.Context) (aws.Credentials, error) {
	c, err := a.credentials.Retrieve(ctx)
	if err == nil && !c.CanExpire && c.SessionToken != "" && c.Source == config.CredentialsSourceName && !a.environmentExpires.IsZero() {
		c.CanExpire, c.Expires = true, a.environmentExpires
	}
	return c, err
}
