package s3server

import (
	"cmp"
	"crypto/md5"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/omnibucket/storage/s3server/internal/checksum"
	"github.com/omnibucket/storage/s3server/internal/s3error"
	"github.com/omnibucket/storage/s3server/internal/sign"
	"github.com/omnibucket/storage/s3server/internal/state"
)

// An expectedBody describes the body that a request's headers announce: its size and its checksums.
type expectedBody struct {
	size     int64
	sum      checksum.Sum   // checksum in a header; otherwise the computed checksum, after a call of check
	given    *checksum.Kind // kind of the checksum in a header or a trailer; nil if there is none
	kind     *checksum.Kind // kind of the checksum to compute
	named    bool           // true if x-amz-checksum-algorithm names the kind
	trailers []string       // names of the announced trailers, in lower case
	md5      []byte         // value of Content-MD5; nil if there is none
	payload  string
}

// openBody returns a reader of the body. At the end of the body, the reader compares the bytes with
// the headers. If the body has more bytes than limit, reading it fails with
// EntityTooLarge.
func (r *request) openBody(p *expectedBody, limit int64) (*state.Body, error) {
	if p.size > limit {
		return nil, tooLarge(p.size, limit)
	}
	src := io.Reader(r.in.Body)
	trailer := http.Header{}
	if sign.IsChunked(p.payload) {
		chunked := sign.NewReader(r.in.Body, r.caller.seal, p.trailers)
		src = chunked
		trailer = chunked.Trailer
	}
	d := checksum.NewDigest(p.kind, len(p.payload) == 64)
	return &state.Body{
		// Read one byte more than announced, to detect a body that is too long.
		From:   io.TeeReader(io.LimitReader(src, p.size+1), d),
		Size:   p.size,
		Digest: d,
		Check: func() error {
			if d.Size != p.size {
				return s3error.New("IncompleteBody").
					WithMessage("The request body is not the announced %d bytes long", p.size)
			}
			return p.check(d, trailer)
		},
	}, nil
}

func tooLarge(size, limit int64) *s3error.Error {
	return s3error.New("EntityTooLarge", "ProposedSize", strconv.FormatInt(size, 10), "MaxSizeAllowed",
		strconv.FormatInt(limit, 10))
}

// expectBody reads the headers that describe the body.
func (r *request) expectBody() (*expectedBody, error) {
	p := &expectedBody{payload: r.caller.seal.Payload, size: r.in.ContentLength}
	if err := p.readPayload(r); err != nil {
		return nil, err
	}
	if err := p.readSums(r.in.Header); err != nil {
		return nil, err
	}
	if err := p.readTrailers(r.in.Header.Get("X-Amz-Trailer")); err != nil {
		return nil, err
	}
	return p, p.resolveChecksum(r.in.Header)
}

// readTrailers reads the value of X-Amz-Trailer, which announces the trailers of the body.
func (p *expectedBody) readTrailers(names string) error {
	p.given = p.sum.Kind
	if names == "" && p.payload == sign.SignedChunksAndTrailer {
		return s3error.New("MalformedTrailerError")
	}
	// Like S3, accept a body without a trailer. STREAMING-UNSIGNED-PAYLOAD-TRAILER permits a
	// trailer, but does not require one.
	if names == "" {
		return nil
	}
	var announced []string
	for name := range strings.SplitSeq(names, ",") {
		announced = append(announced, strings.ToLower(strings.TrimSpace(name)))
	}
	kind, err := checksum.Announced(announced)
	if err != nil {
		return err
	}
	if p.payload == sign.SignedChunks && kind == p.sum.Kind {
		return nil // the AWS SDK for Java v2 announces a trailer, but sends the checksum in a header; S3 accepts it
	}
	if p.payload != sign.UnsignedTrailer && p.payload != sign.SignedChunksAndTrailer {
		return s3error.New("InvalidRequest").
			WithMessage("x-amz-trailer is set, but x-amz-content-sha256 announces no trailer")
	}
	if p.sum.Kind != nil {
		return checksum.MultipleChecksums()
	}
	p.trailers = announced
	p.given = kind
	return nil
}

// readSums reads the MD5 digest and the checksum of the body from the headers.
func (p *expectedBody) readSums(header http.Header) (err error) {
	if values := header.Values("Content-Md5"); len(values) > 0 {
		if p.md5, err = base64.StdEncoding.DecodeString(values[0]); err != nil || len(p.md5) != md5.Size {
			return s3error.New("InvalidDigest", "Content-MD5", values[0])
		}
	}
	if p.sum, err = checksum.OfHeader(header); err != nil {
		return err
	}
	if p.sum.Kind != nil && !p.sum.Kind.Valid(p.sum.Value) {
		return s3error.New("InvalidRequest").
			WithMessage("Value for x-amz-checksum-%s header is invalid.", p.sum.Kind.Label())
	}
	return nil
}

// readPayload checks x-amz-content-sha256, and reads the size of the decoded body.
func (p *expectedBody) readPayload(r *request) error {
	switch p.payload {
	case sign.UnsignedPayload, sign.UnsignedTrailer, sign.SignedChunks, sign.SignedChunksAndTrailer:
	default:
		if raw, err := hex.DecodeString(p.payload); err != nil || len(raw) != 32 ||
			strings.ToLower(p.payload) != p.payload {
			return s3error.New("InvalidArgument", "ArgumentName", "x-amz-content-sha256", "ArgumentValue", p.payload).
				WithMessage(
					"x-amz-content-sha256 must be UNSIGNED-PAYLOAD, STREAMING-UNSIGNED-PAYLOAD-TRAILER, STREAMING-AWS4-HMAC-SHA256-PAYLOAD, STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER or a valid sha256 value.",
				)
		}
	}
	if !sign.IsChunked(p.payload) {
		if p.size < 0 {
			return s3error.New("MissingContentLength")
		}
		return nil
	}
	size, err := strconv.ParseUint(r.in.Header.Get("X-Amz-Decoded-Content-Length"), 10, 63)
	if err != nil {
		return s3error.New("MissingContentLength")
	}
	p.size = int64(size)
	return nil
}

// resolveChecksum selects the kind of checksum to compute for the body. It fails if headers name
// different kinds.
func (p *expectedBody) resolveChecksum(header http.Header) error {
	var err error
	if p.kind, err = wantedKind(header, p.given); err != nil {
		return err
	}
	p.named = header.Get(checksum.AlgorithmHeader) != ""
	name := header.Get(checksum.SDKAlgorithmHeader)
	switch {
	case name == "":
	case p.given == nil:
		return s3error.New("InvalidRequest").WithMessage(
			"x-amz-sdk-checksum-algorithm specified, but no corresponding x-amz-checksum-* or x-amz-trailer headers were found.",
		)
	case checksum.ByName(name) != p.kind:
		return s3error.New("InvalidRequest").WithMessage("Value for x-amz-sdk-checksum-algorithm header is invalid.")
	}
	return nil
}

// wantedKind returns the kind of checksum that S3 stores for an object that is not a multipart
// upload. The second argument is the kind of the checksum in the request, or nil if the request has
// no checksum.
func wantedKind(header http.Header, preset *checksum.Kind) (*checksum.Kind, error) {
	if covers := header.Get(checksum.TypeHeader); covers != "" && covers != checksum.FullObject {
		return nil, s3error.New("InvalidRequest").WithMessage("Value for x-amz-checksum-type header is invalid.")
	}
	name := header.Get(checksum.AlgorithmHeader)
	if name == "" {
		return cmp.Or(preset, checksum.Default), nil
	}
	kind, err := checksum.Named(name)
	if err == nil && preset != nil && preset != kind {
		err = s3error.New("InvalidRequest").WithMessage("Value for x-amz-checksum-algorithm header is invalid.")
	}
	return kind, err
}

// check compares the digests of the received body with the headers and the trailer.
func (p *expectedBody) check(d *checksum.Digest, trailer http.Header) error {
	if d.SHA256 != nil {
		if got := hex.EncodeToString(d.SHA256.Sum(nil)); got != p.payload {
			return s3error.New("XAmzContentSHA256Mismatch", "ClientComputedContentSHA256", p.payload,
				"S3ComputedContentSHA256", got)
		}
	}
	if p.md5 != nil {
		if got := d.MD5.Sum(nil); string(got) != string(p.md5) {
			return s3error.New(
				"BadDigest", "ExpectedDigest", base64.StdEncoding.EncodeToString(p.md5), "CalculatedDigest",
				base64.StdEncoding.EncodeToString(got),
			)
		}
	}
	want := p.sum.Value
	if p.sum.Kind == nil {
		want = trailer.Get(p.kind.Header)
		if p.given != nil && !p.kind.Valid(want) {
			return s3error.New("InvalidRequest").
				WithMessage("Value for x-amz-checksum-%s trailing header is invalid.", p.kind.Label())
		}
	}
	if want != "" && want != d.Sum().Value {
		return badChecksum(p.kind)
	}
	p.sum = d.Sum()
	return nil
}

// needDigest fails if the request has neither Content-MD5 nor a checksum of its body.
func needDigest(r *request) error {
	if len(r.in.Header.Values("Content-Md5")) > 0 || r.in.Header.Get("X-Amz-Trailer") != "" {
		return nil
	}
	if sum, err := checksum.OfHeader(r.in.Header); err != nil || sum.Kind != nil {
		return err
	}
	return s3error.New("InvalidRequest").
		WithMessage("Missing required header for this request: Content-MD5 OR x-amz-checksum-*")
}

func badChecksum(kind *checksum.Kind) *s3error.Error {
	return s3error.New("BadDigest").WithMessage("The %s you specified did not match the calculated checksum.", kind.Name)
}

// An impatientBody is the body of a request. It fails with RequestTimeout if the client sends
// nothing for the time idle.
type impatientBody struct {
	io.ReadCloser
	control *http.ResponseController
	idle    time.Duration
	until   time.Time // deadline of all reads; zero means no limit
	read    bool      // true after the first call of Read
	err     error
}

// Read sets a read deadline while it waits for the client, and then removes the deadline. Between
// two calls of Read, net/http itself reads from the connection, to notice that the client has
// disconnected. A deadline would disturb that.
func (b *impatientBody) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	b.read = true
	deadline := time.Now().Add(b.idle)
	if !b.until.IsZero() && b.until.Before(deadline) {
		deadline = b.until
	}
	supported := b.control.SetReadDeadline(deadline) == nil
	n, err := b.ReadCloser.Read(p)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		// Keep the expired deadline, so that net/http does not wait for the rest of the body.
		b.err = s3error.New("RequestTimeout").WithHeader("Connection", "close")
		return n, b.err
	}
	if supported {
		_ = b.control.SetReadDeadline(time.Time{})
	}
	return n, err
}
