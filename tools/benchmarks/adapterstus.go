package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"

	"github.com/tus/tusd/v2/pkg/handler"
	"github.com/tus/tusd/v2/pkg/memorylocker"
	"github.com/tus/tusd/v2/pkg/s3store"
	"golang.org/x/exp/slog"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/adapters/tus"
)

const (
	viaTus      = "adapters/tus"
	viaTusAlone = "adapters/tus, tusd's memorylocker"
	tusdS3      = "tusd s3store and memorylocker"
)

// A tusStore receives the data of an upload in pieces of the given size.
type tusStore interface {
	receive(ctx context.Context, data []byte, piece int) error
	close() error
}

var tusAdapters = []adapter[tusStore]{
	{ours, func(_ context.Context, b storage.Bucket) (tusStore, error) { return writerStore{b}, nil }},
	{viaTus, openTus()},
	{viaTusAlone, openTus(memorylocker.New())},
}

// openTus returns a server of tusd that stores files with adapters/tus. If locks are given, they
// replace the locks of the adapter.
func openTus(locks ...composed) func(context.Context, storage.Bucket) (tusStore, error) {
	return func(_ context.Context, b storage.Bucket) (tusStore, error) {
		store, err := tus.New(b, tus.Config{})
		if err != nil {
			return nil, err
		}
		key := handler.FileInfoChanges{Storage: map[string]string{"Key": adapterKey}}
		return newTusServer(key, append([]composed{store}, locks...)...)
	}
}

// tusCases returns the cases that compare uploads through tusd's handler, with adapters/tus and
// with tusd's own store for S3.
//
// The locks of adapters/tus work for any number of servers, but those of tusd's store only in one
// process. For a fair comparison, one row uses adapters/tus with tusd's locks. The direct calls use
// a storage.Writer, which cannot resume an upload.
func tusCases() []benchCase {
	goals := []goal{notSlower(viaTusAlone, tusdS3), noMoreRequests(viaTusAlone, tusdS3)}
	var cases []benchCase
	for _, c := range []adapterCase[tusStore]{
		{"1k", "an upload of 1 KiB by tus", tusUpload(kilobyte, kilobyte), goals},
		{"16m", "an upload of 16 MiB by tus, 4 MiB a request", tusUpload(16*mebibyte, 4*mebibyte), goals},
	} {
		c.name = "tus-" + c.name
		cases = append(cases, casesOf(c, tusAdapters, minioRow(tusdS3, minioTusd))...)
	}
	return cases
}

func tusUpload(size, piece int) setupWith[tusStore] {
	return func(e *env, s tusStore) (opFunc, error) {
		data := make([]byte, size)
		return repeated(func() error { return s.receive(e.ctx, data, piece) }), nil
	}
}

// A writerStore writes the pieces of an upload to a storage.Writer, without tus.
type writerStore struct{ bucket storage.Bucket }

func (s writerStore) receive(ctx context.Context, data []byte, piece int) error {
	w := storage.NewWriter(ctx, s.bucket, adapterKey)
	for p := range slices.Chunk(data, piece) {
		if _, err := w.Write(p); err != nil {
			return errors.Join(err, w.Close())
		}
	}
	_, err := w.Commit()
	return errors.Join(err, w.Close())
}

func (s writerStore) close() error { return storage.Close(s.bucket) }

// minioTusd returns a server of tusd with the settings that the command tusd uses for S3.
func minioTusd(_ context.Context, bucket string, server jobServer) (tusStore, error) {
	return newTusServer(handler.FileInfoChanges{ID: adapterKey}, s3store.New(bucket, server.client()), memorylocker.New())
}

// A tusServer calls the handler of tusd without a network.
type tusServer struct{ handler http.Handler }

// A composed is a part of a tusd server: a store or a locker.
type composed interface {
	UseIn(c *handler.StoreComposer)
}

// newTusServer returns a server of tusd that consists of the given parts. If two parts have the
// same kind, the later one is used. key gives all uploads the same object key, so
// that the bucket does not grow.
func newTusServer(key handler.FileInfoChanges, parts ...composed) (tusStore, error) {
	composer := handler.NewStoreComposer()
	for _, p := range parts {
		p.UseIn(composer)
	}
	h, err := handler.NewHandler(handler.Config{
		BasePath:      tusPath,
		StoreComposer: composer,
		Logger:        slog.New(slog.NewTextHandler(io.Discard, &slog.HandlerOptions{Level: slog.LevelError})),
		PreUploadCreateCallback: func(handler.HookEvent) (handler.HTTPResponse, handler.FileInfoChanges, error) {
			return handler.HTTPResponse{}, key, nil
		},
	})
	return tusServer{http.StripPrefix(tusPath, h)}, err
}

const tusPath = "/files/"

// receive uploads data by the tus protocol: a POST creates the upload, and each PATCH sends a chunk of
// it at its offset.
func (s tusServer) receive(ctx context.Context, data []byte, chunkSize int) error {
	length := http.Header{"Upload-Length": {strconv.Itoa(len(data))}}
	header, err := s.do(ctx, http.MethodPost, tusPath, length, nil)
	if err != nil {
		return err
	}
	location := header.Get("Location")
	offset := 0
	for chunk := range slices.Chunk(data, chunkSize) {
		header := http.Header{
			"Upload-Offset": {strconv.Itoa(offset)},
			"Content-Type":  {"application/offset+octet-stream"},
		}
		if _, err := s.do(ctx, http.MethodPatch, location, header, bytes.NewReader(chunk)); err != nil {
			return err
		}
		offset += len(chunk)
	}
	return nil
}

// do makes a request to the handler, and returns the header of the response. It cancels the context
// of the request at the end, as an HTTP server does.
func (s tusServer) do(
	ctx context.Context, method, target string, header http.Header, body io.Reader,
) (http.Header, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	request := httptest.NewRequestWithContext(ctx, method, target, body)
	maps.Copy(request.Header, header)
	request.Header.Set("Tus-Resumable", "1.0.0")
	response := httptest.NewRecorder()
	s.handler.ServeHTTP(response, request)
	if response.Code/100 != 2 {
		return nil, fmt.Errorf("%s %s: %d: %s", method, target, response.Code, response.Body)
	}
	return response.Header(), nil
}

func (tusServer) close() error { return nil }
