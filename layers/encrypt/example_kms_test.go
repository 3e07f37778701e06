package encrypt_test

import (
	"context"
	"fmt"
	"strings"

	"filippo.io/age"

	"github.com/omnibucket/storage/layers/encrypt"
	"github.com/omnibucket/storage/layers/encrypt/awskms"
)

// serviceKeys returns keys of AWS KMS, and adds the recipient of an identity that is kept offline.
// In an emergency, this identity decrypts without the service.
func serviceKeys(ctx context.Context, arn, offline string) (encrypt.Keys, error) {
	service, err := awskms.New(ctx, awskms.Config{Key: arn})
	if err != nil {
		return nil, err
	}
	recipients, err := age.ParseRecipients(strings.NewReader(offline))
	if err != nil {
		return nil, err
	}
	emergency := encrypt.NewKeys(recipients, nil)
	return encrypt.JoinKeys([]encrypt.Keys{service, emergency}, []encrypt.Keys{service}), nil
}

func ExampleJoinKeys() {
	const arn = "arn:aws:kms:eu-west-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab"
	_, err := serviceKeys(context.Background(), arn, "age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p")
	fmt.Println(err)
	// Output: <nil>
}
