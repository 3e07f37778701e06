// Package cdnapi sends requests to the API of a content delivery network (CDN). The requests
// authenticate with a token in a header.
package cdnapi

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/url"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/driver"
)

const (
	requestTimeout = 10 * time.Second // limit for one request and its response
	maxBody        = 64 << 10         // largest number of bytes that are read of a response
)

// A Client sends the purge requests of one CDN.
type Client struct {
	provider string
	http     *http.Client
}

// New returns a Client that sends requests with a copy of client, or with the default transport if
// client is nil. The Client does not follow redirects, because a redirect could send the token to
// another host.
func New(provider string, client *http.Client) *Client {
	httpClient := &http.Client{}
	if client != nil {
		*httpClient = *client
	}
	httpClient.Transport = driver.WrapTransport(httpClient.Transport)
	httpClient.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	return &Client{provider, httpClient}
}

// Do sends a request, and returns the first 64 KiB of the response's body, with an error if the
// status is not 2xx. The text of the error has nothing of the body, because that could repeat the
// token.
func (c *Client) Do(ctx context.Context, r *http.Request) ([]byte, error) {
	requestCtx, cancel := context.WithTimeout(ctx, requestTimeout)
	defer cancel()
	resp, err := c.http.Do(r.WithContext(requestCtx))
	if err != nil {
		return nil, c.failed(ctx, driver.NetworkError(err))
	}
	defer resp.Body.Close()

	// If the status is a failure, an incomplete body does not matter.
	body, readErr := io.ReadAll(io.LimitReader(resp.Body, maxBody))
	isSuccess := resp.StatusCode >= 200 && resp.StatusCode <= 299
	if !isSuccess {
		statusErr := driver.StatusError(resp)
		if statusErr.Code == storage.ObjectNotFound {
			// The address of the request has the id, and no key.
			statusErr.Code = storage.InvalidArgument
			statusErr.Hint = "check the id of the zone or distribution"
		}
		return body, c.failed(ctx, statusErr)
	}
	if readErr != nil {
		return nil, c.failed(ctx, driver.NetworkError(readErr))
	}
	return body, nil
}

// failed completes the error of a request. If the request timed out before ctx ended, the code is
// Unavailable.
func (c *Client) failed(ctx context.Context, err *storage.Error) error {
	err = storage.AsError(ctx, err)
	err.Op = "Purge"
	err.Provider = c.provider
	err.Unknown = false // a purge can be repeated, so its outcome does not matter
	return err
}

// Refused returns the error for a purge that cannot be made, or for a response of status 2xx whose
// body says that the purge failed.
func (c *Client) Refused(code storage.Code, reason string) error {
	return &storage.Error{
		Code:      code,
		Op:        "Purge",
		Provider:  c.provider,
		Err:       errors.New(reason),
		Retryable: code == storage.Unavailable,
	}
}

// Parse parses the URL of an object that is to be purged. It fails with InvalidArgument if the
// scheme is not http or https, or if the URL has a user or a fragment.
func (c *Client) Parse(address string) (*url.URL, error) {
	u, err := url.Parse(address)
	isWeb := err == nil && (u.Scheme == "http" || u.Scheme == "https")
	if !isWeb || u.Host == "" || u.User != nil || u.Fragment != "" {
		return nil, c.Refused(storage.InvalidArgument, "urls must be http or https addresses without user and fragment")
	}
	return u, nil
}
