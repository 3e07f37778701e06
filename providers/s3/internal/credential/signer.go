package credential

import (
	"context"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	v4 "github.com/aws/aws-sdk-go-v2/aws/signer/v4"
	"github.com/aws/smithy-go/logging"
)

// A secretSigner signs the SDK's requests. Whenever the secret changes, it makes a new signer of
// the SDK. An old signer would not notice the new secret: it caches a signing key for each access
// key, for a day.
type secretSigner struct {
	logger     logging.Logger
	logs       bool
	lastSigner atomic.Pointer[signerOfSecret]
}

type signerOfSecret struct {
	secret string
	signer *v4.Signer
}

// SignHTTP signs a request with the credentials c.
func (s *secretSigner) SignHTTP(
	ctx context.Context, c aws.Credentials, request *http.Request, hash, service, region string, t time.Time,
	opts ...func(*v4.SignerOptions),
) error {
	// A signer caches the keys that it derives, by the access key. So each secret needs a signer of its own.
	last := s.lastSigner.Load()
	if last == nil || last.secret != c.SecretAccessKey {
		signer := v4.NewSigner(func(o *v4.SignerOptions) {
			o.Logger = s.logger
			o.LogSigning = s.logs
			o.DisableURIPathEscaping = true // as the SDK's client does
		})
		last = &signerOfSecret{secret: c.SecretAccessKey, signer: signer}
		s.lastSigner.Store(last)
	}
	return last.signer.SignHTTP(ctx, c, request, hash, service, region, t, opts...)
}
