package access

import (
	"github.com/omnibucket/storage/s3server/internal/request"
	"github.com/omnibucket/storage/s3server/internal/s3error"
	"github.com/omnibucket/storage/s3server/internal/sign"
)

// VerifyForm verifies the signature of the policy of a form with these fields, and sets r.Caller.
func VerifyForm(r *request.Request, fields map[string]string) error {
	// Old clients sign with version 2, which a strict server does not accept.
	isVersion2 := fields["awsaccesskeyid"] != ""
	if isVersion2 && !r.Server.Strict {
		return verifyFormV2(r, fields)
	}

	for _, name := range []string{"x-amz-algorithm", "x-amz-credential", "x-amz-date", "x-amz-signature"} {
		if fields[name] == "" {
			return s3error.New("InvalidArgument", "ArgumentName", name).WithMessage(
				"Bucket POST must contain a field named '%s'.  If it is specified, please check the order of the fields.",
				name,
			)
		}
	}
	if fields["x-amz-algorithm"] != sign.Algorithm {
		return s3error.New("InvalidArgument", "ArgumentName", "x-amz-algorithm").
			WithMessage("X-Amz-Algorithm only supports \"AWS4-HMAC-SHA256\"")
	}

	// The claim is what the form says about its signature: the key, the time and the service.
	c := &claim{service: sign.Service, timestamp: fields["x-amz-date"], signature: fields["x-amz-signature"]}
	if err := c.credential(fields["x-amz-credential"], wrongCredential); err != nil {
		return err
	}
	if err := checkScope(r, c, wrongCredential); err != nil {
		return err
	}

	caller, secret, err := identify(r, c.accessKey, fields["x-amz-security-token"])
	if err != nil {
		return err
	}

	// The policy itself is the text that the client has signed.
	key := sign.Key(secret, c.scope)
	if !sign.Equal(sign.HexMAC(key, fields["policy"]), c.signature) {
		return s3error.New(
			"SignatureDoesNotMatch", "AWSAccessKeyId", c.accessKey, "StringToSign", fields["policy"],
			"SignatureProvided",
			c.signature,
		)
	}

	caller.Algorithm = sign.Algorithm
	caller.Seal = sign.Seal{Timestamp: c.timestamp}
	r.Caller = caller
	return nil
}

// verifyFormV2 verifies the signature, of version 2, of a form's policy and sets r.Caller.
func verifyFormV2(r *request.Request, fields map[string]string) error {
	accessKey := fields["awsaccesskeyid"]
	signature := fields["signature"]
	if signature == "" {
		return s3error.New("InvalidArgument", "ArgumentName", "signature").WithMessage(
			"Bucket POST must contain a field named 'signature'.  If it is specified, please check the order of the fields.",
		)
	}
	caller, secret, err := identify(r, accessKey, fields["x-amz-security-token"])
	if err != nil {
		return err
	}
	if !sign.Equal(sign.MACV2(secret, fields["policy"]), signature) {
		return s3error.New(
			"SignatureDoesNotMatch", "AWSAccessKeyId", accessKey, "StringToSign", fields["policy"],
			"SignatureProvided",
			signature,
		)
	}
	caller.Algorithm = "AWS"
	r.Caller = caller
	return nil
}
