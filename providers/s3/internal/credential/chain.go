package credential

import (
	"os"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/smithy-go/logging"
)

// SharedFiles makes the SDK load the shared files that environment variables of AWS name, in place
// of the default files.
func SharedFiles(o *config.LoadSharedConfigOptions) {
	o.Logger = logging.Nop{}
	// The error is ignored, because the default chain also reports a variable that is not valid.
	env, _ := config.NewEnvConfig()
	if env.SharedConfigFile != "" {
		o.ConfigFiles = []string{env.SharedConfigFile}
	}
	if env.SharedCredentialsFile != "" {
		o.CredentialsFiles = []string{env.SharedCredentialsFile}
	}
}

// ReplaceEarly makes the SDK replace credentials half a minute before they expire, or earlier. S3 refuses a request
// that was signed before the expiry and arrives after it.
func ReplaceEarly(o *aws.CredentialsCacheOptions) {
	o.ExpiryWindow = max(o.ExpiryWindow, 30*time.Second)
}

// LongestSession limits how long a signed URL is valid if temporary credentials of unknown expiry
// sign it. The session of a role lasts for 12 hours at most.
// https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html
const LongestSession = 12 * time.Hour

// EnvironmentExpiry returns the time at which the credentials of the environment expire, or zero if
// it is unknown. It reads AWS_CREDENTIAL_EXPIRATION, which "aws configure export-credentials
// --format env" sets and the SDK does not read.
func EnvironmentExpiry() time.Time {
	end, err := time.Parse(time.RFC3339, os.Getenv("AWS_CREDENTIAL_EXPIRATION"))
	if err != nil {
		return time.Time{}
	}
	return end.UTC()
}
