package s3

import (
	"context"
	"os"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
)

// longestSession bounds what is signed with a session that does not say when it
// ends: a role's ends after 12 hours at most.
// https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
const longestSession = 12 * time.Hour

// sessionEnd is when the credentials of the environment end: "aws configure
// export-credentials --format env" says so, and the SDK does not read it. Zero:
// it is not said.
func environmentExpiry() time.Time {
	end, err := time.Parse(time.RFC3339, os.Getenv("AWS_CREDENTIAL_EXPIRATION"))
	if err != nil {
		return time.Time{}
	}
	return end.UTC()
}

// current returns the credentials, with their end if anybody says it.
func (a *account) current(ctx context.Context) (aws.Credentials, error) {
	c, err := a.credentials.Retrieve(ctx)
	if err == nil && !c.CanExpire && c.SessionToken != "" && c.Source == config.CredentialsSourceName && !a.environmentExpires.IsZero() {
		c.CanExpire, c.Expires = true, a.environmentExpires
	}
	return c, err
}
