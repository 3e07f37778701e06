// Package credential has the providers of credentials that stand between the AWS SDK and the requests of a
// driver. Start at [Renewer], which replaces credentials that the store refuses.
package credential

import (
	"context"
	"net/http"
	"strings"
	"sync/atomic"

	"github.com/aws/aws-sdk-go-v2/aws"
	awss3 "github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/smithy-go/middleware"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/internal/running"
	"github.com/omnibucket/storage/providers/s3/internal/s3error"
)

// A Renewer returns the credentials of an account, and replaces credentials that the store refuses.
// The SDK replaces credentials only when they expire. The SDK would continue to use a revoked
// session, or the old content of a file (https://github.com/aws/aws-sdk-go-v2/issues/2135).
//
// If the store refuses credentials that it has accepted before, the error is Retryable. The next
// attempt gets the current credentials from their source. If the store has never accepted the
// credentials, the error is not Retryable, because new credentials from that source would be
// refused, too.
type Renewer struct {
	// reload reads the source of the credentials again. It is nil if the caller gave the SDK's
	// provider.
	reload func(context.Context) (aws.CredentialsProvider, error)
	Signs  bool // whether this renewer also signs the SDK's requests

	reloading running.Lock
	provider  atomic.Pointer[aws.CredentialsProvider]
	lastUsed  atomic.Pointer[usedCredentials]
}

type usedCredentials struct {
	value               aws.Credentials
	previous            *usedCredentials // former credentials with the same access key, or nil
	accepted, isRefused atomic.Bool      // whether the store has accepted or refused these credentials
	isDropped           bool             // whether these credentials were dropped after they were refused
}

// NewRenewer returns a Renewer of the credentials of p. The function reload reads their source again. It is nil if
// the caller gave the SDK's provider.
func NewRenewer(p aws.CredentialsProvider, reload func(context.Context) (aws.CredentialsProvider, error)) *Renewer {
	r := &Renewer{reload: reload, reloading: running.NewLock()}
	r.provider.Store(&p)
	return r
}

// Retrieve returns the credentials for the next request. It remembers them, so that a refusal by
// the store can be traced to them.
func (r *Renewer) Retrieve(ctx context.Context) (aws.Credentials, error) {
	// Credentials that the store has refused are forgotten, so that the provider returns new ones. Load
	// isRefused only once, because another request may be refused meanwhile.
	last := r.lastUsed.Load()
	isRefused := last != nil && last.isRefused.Load()
	if isRefused {
		r.forget(ctx, last)
	}

	c, err := (*r.provider.Load()).Retrieve(ctx)
	if err != nil {
		return c, err
	}
	isRemembered := last != nil && !isRefused && last.isSame(&c)
	if !isRemembered {
		// If another request has remembered its credentials meanwhile, those stay.
		r.lastUsed.CompareAndSwap(last, newUsedCredentials(c, last))
	}
	return c, nil
}

// newUsedCredentials returns a record of the credentials c, which are used after last. It keeps those
// of last if only their secret may differ, because the header of a request shows no secret.
func newUsedCredentials(c aws.Credentials, last *usedCredentials) *usedCredentials {
	used := &usedCredentials{value: c}
	hasSameKey := last != nil && last.value.AccessKeyID == c.AccessKeyID && last.value.SessionToken == c.SessionToken
	if hasSameKey {
		used.previous = &usedCredentials{value: last.value}
	}
	return used
}

func (u *usedCredentials) isSame(c *aws.Credentials) bool {
	return u.value.AccessKeyID == c.AccessKeyID && u.value.SecretAccessKey == c.SecretAccessKey &&
		u.value.SessionToken == c.SessionToken
}

// haveSigned reports whether a request was signed with the access key and the session token of u.
// The request may have been signed with another secret of the same access key. If r is nil,
// haveSigned returns true.
func (u *usedCredentials) haveSigned(r *http.Request) bool {
	if r == nil {
		return true
	}
	hasKey := strings.Contains(r.Header.Get("Authorization"), "Credential="+u.value.AccessKeyID+"/")
	return hasKey && r.Header.Get("X-Amz-Security-Token") == u.value.SessionToken
}

// Observe records that the store has accepted the credentials of a request. Each response to the
// request shows that, unless its status is 400, 401, 403, or at least 500. A nil Renewer records
// nothing.
func (r *Renewer) Observe(response *http.Response) {
	if r == nil {
		return
	}
	last := r.lastUsed.Load()
	if last == nil || last.accepted.Load() {
		return
	}
	// A failure of the server does not show whether the credentials are valid.
	status := response.StatusCode
	isFailure := status >= http.StatusInternalServerError
	isRefused := status == http.StatusBadRequest || status == http.StatusUnauthorized || status == http.StatusForbidden
	if isFailure || isRefused {
		return
	}
	if last.haveSigned(response.Request) {
		last.accepted.Store(true)
	}
}

// forget makes the provider forget credentials that were refused. It does so only once, even if
// several requests were refused with them.
func (r *Renewer) forget(ctx context.Context, creds *usedCredentials) {
	if r.reloading.Lock(ctx) != nil {
		return // ctx has ended
	}
	defer r.reloading.Unlock()
	if creds.isDropped {
		return
	}
	creds.isDropped = true

	// Read the source again. If this fails, its files may be incomplete now, so keep the provider.
	if r.reload != nil {
		provider, err := r.reload(ctx)
		if err == nil {
			r.provider.Store(&provider)
			return
		}
	}

	// The provider stays, but must not return the refused credentials from its cache.
	cache, hasCache := (*r.provider.Load()).(interface{ Invalidate() })
	if hasCache {
		cache.Invalidate()
	}
}

// markRefused is called after the store has refused the credentials of a request, and marks them as
// refused if they are the current ones. retry is true if another attempt would use other
// credentials, and so may succeed.
func (r *Renewer) markRefused(request *http.Request) (retry bool) {
	current := r.lastUsed.Load()
	if current == nil {
		return false
	}
	// A directory bucket has sessions with credentials of their own.
	isOfSession := request != nil && request.Header.Get("X-Amz-S3session-Token") != ""
	if isOfSession {
		return false
	}
	if !current.haveSigned(request) {
		// Other credentials have replaced those of the request.
		return true
	}

	current.isRefused.Store(true)
	if current.accepted.Load() {
		// They were valid before, so their source may have new ones.
		return true
	}
	// The request may have been signed with an older secret of the same access key, so another attempt
	// may succeed.
	previous := current.previous
	return previous != nil && previous.value.SecretAccessKey != current.value.SecretAccessKey
}

// Configure sets options with which a client reports to r which credentials the store refuses. If r
// signs, the client also uses a signer of its own for each secret key.
func (r *Renewer) Configure(o *awss3.Options) {
	if r.Signs {
		o.HTTPSignerV4 = &secretSigner{logger: o.Logger, logs: o.ClientLogMode.IsSigning()}
		// The old schemes are removed, because they use another signer.
		o.AuthSchemes = nil
	}

	watch := middleware.InitializeMiddlewareFunc("omnibucket:Renewal", r.watchRequest)
	o.APIOptions = append(o.APIOptions, func(stack *middleware.Stack) error {
		return stack.Initialize.Add(watch, middleware.Before)
	})
}

// watchRequest is a middleware of the SDK that reports refused credentials to r. If another attempt
// may succeed with other credentials, its error says so.
func (r *Renewer) watchRequest(
	ctx context.Context, input middleware.InitializeInput, next middleware.InitializeHandler,
) (middleware.InitializeOutput, middleware.Metadata, error) {
	output, metadata, err := next.HandleInitialize(ctx, input)
	if isRefusal(err) && r.markRefused(s3error.Response(err).Response.Request) {
		err = s3error.CredentialsReplaced(err)
	}
	return output, metadata, err
}

// isRefusal reports whether the store has refused the credentials of a request.
func isRefusal(err error) bool {
	status := s3error.Status(err)
	if status < http.StatusBadRequest || status >= http.StatusInternalServerError {
		return false
	}
	storageErr := s3error.FromResponse(err)
	return storageErr.Code == storage.Unauthenticated && !storageErr.Retryable && !storageErr.Unknown
}
