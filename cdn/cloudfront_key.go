package cdn

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rsa"
	_ "crypto/sha1" // CloudFront's default hash
	_ "crypto/sha256"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/argument"
)

// A parameter is one value of a CloudFront signature. In a URL, it is a query parameter. As a
// cookie, it has the same name with the prefix CloudFront-.
type parameter struct{ name, value string }

type parameters []parameter

// query returns the parameters as the query of a URL. No value needs an escape.
func (p parameters) query() string {
	parts := make([]string, len(p))
	for i, param := range p {
		parts[i] = param.name + "=" + param.value
	}
	return strings.Join(parts, "&")
}

// A cloudFrontKey signs policies.
type cloudFrontKey struct {
	private crypto.Signer
	hash    crypto.Hash
	names   parameters // parameters with the id of the key and the name of the hash
}

// newCloudFrontKey parses a private key in PEM. It fails with InvalidArgument if CloudFront does not
// accept such a key.
func newCloudFrontKey(id string, text []byte, sha256 bool) (cloudFrontKey, error) {
	k := cloudFrontKey{hash: crypto.SHA1, names: parameters{{"Key-Pair-Id", id}}}
	if sha256 {
		k.hash = crypto.SHA256
		k.names = append(k.names, parameter{"Hash-Algorithm", "SHA256"})
	}

	const rsaBits = 2048
	switch key := parsePrivateKey(text).(type) {
	case *rsa.PrivateKey:
		if key.N.BitLen() == rsaBits {
			k.private = key
		}
	case *ecdsa.PrivateKey:
		if key.Curve == elliptic.P256() {
			k.private = key
		}
	}
	if k.private == nil {
		// The error of the parser could quote the key.
		return k, argument.Invalid("Config.PrivateKey",
			"must be PEM of an RSA key of 2,048 bits, or of an ECDSA key on P-256", "")
	}
	return k, nil
}

// parsePrivateKey returns the private key in PEM text, which may be that of PKCS #8, PKCS #1 or SEC 1,
// or nil if there is none.
func parsePrivateKey(text []byte) crypto.PrivateKey {
	block, rest := pem.Decode(text)
	if block != nil && block.Type == "EC PARAMETERS" {
		// "openssl ecparam" writes this block before the key.
		block, _ = pem.Decode(rest)
	}
	if block == nil {
		return nil
	}
	if key, err := x509.ParsePKCS8PrivateKey(block.Bytes); err == nil {
		return key
	}
	if key, err := x509.ParsePKCS1PrivateKey(block.Bytes); err == nil {
		return key
	}
	if key, err := x509.ParseECPrivateKey(block.Bytes); err == nil {
		return key
	}
	return nil
}

// sign returns the signature of a policy. It uses no randomness, so that ECDSA is deterministic (RFC
// 6979), and browsers can cache the same URL again.
func (k *cloudFrontKey) sign(policy string) (string, error) {
	hash := k.hash.New()
	_, _ = hash.Write([]byte(policy))
	signature, err := k.private.Sign(nil, hash.Sum(nil), k.hash)
	if err != nil {
		return "", &storage.Error{
			Code:     storage.Internal,
			Provider: providerCloudFront,
			Err:      errors.New("the private key cannot sign"),
		}
	}
	return cloudFrontBase64(signature), nil
}

// policy returns a policy of one statement, without white space. resource has no character that JSON
// escapes.
// https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/private-content-creating-signed-url-custom-policy.html
func policy(resource string, expires time.Time, addresses netip.Prefix) string {
	condition := fmt.Sprintf(`"DateLessThan":{"AWS:EpochTime":%d}`, expires.Unix())
	if addresses.IsValid() {
		condition = fmt.Sprintf(`"IpAddress":{"AWS:SourceIp":"%s"},`, addresses) + condition
	}
	return `{"Statement":[{"Resource":"` + resource + `","Condition":{` + condition + `}}]}`
}

// cloudFrontBase64 encodes a value as CloudFront does, with -, _ and ~ in place of +, = and /.
func cloudFrontBase64(value []byte) string {
	return strings.NewReplacer("+", "-", "=", "_", "/", "~").Replace(base64.StdEncoding.EncodeToString(value))
}
