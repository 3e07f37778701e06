package filesapi_test

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/uploads"
	filesclient "github.com/omnibucket/storage/uploads/client"
	"github.com/omnibucket/storage/uploads/filesapi"
	"github.com/omnibucket/storage/uploads/rules"
)

func ExampleNew() {
	bucket := memstore.New()
	service, err := uploads.New(bucket, uploads.Config{Rules: rules.Any(1 << 30), Records: uploads.BucketRecords(bucket)})
	if err != nil {
		panic(err)
	}
	handler, err := filesapi.New(service, filesapi.Config{
		Authorize: func(r *http.Request) (uploads.User, error) {
			if r.Header.Get("Authorization") == "Bearer secret" { // your sessions or tokens
				return uploads.User{ID: "42"}, nil
			}
			return uploads.User{}, storage.Unauthenticated
		},
	})
	if err != nil {
		panic(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/api/", http.StripPrefix("/api", handler))
	server := httptest.NewServer(mux)
	defer server.Close()

	request, err := http.NewRequestWithContext(context.Background(), http.MethodGet, server.URL+"/api/files", nil)
	if err != nil {
		panic(err)
	}
	for _, authorization := range []string{"", "Bearer secret"} {
		request.Header.Set("Authorization", authorization)
		answer, err := server.Client().Do(request)
		if err != nil {
			panic(err)
		}
		body, err := io.ReadAll(answer.Body)
		if err != nil {
			panic(err)
		}
		_ = answer.Body.Close()
		text, _, _ := strings.Cut(string(body), `,"requestId"`)
		fmt.Println(answer.StatusCode, text)
	}
	// Output:
	// 401 {"code":"unauthenticated","message":"Sign in first."
	// 200 {"Items":[]}
}

func ExampleNew_client() {
	bucket := memstore.New()
	service, err := uploads.New(bucket, uploads.Config{Rules: rules.Any(1 << 30), Records: uploads.BucketRecords(bucket)})
	if err != nil {
		panic(err)
	}
	handler, err := filesapi.New(service, filesapi.Config{Authorize: func(*http.Request) (uploads.User, error) { return uploads.User{ID: "42"}, nil }})
	if err != nil {
		panic(err)
	}
	server := httptest.NewServer(handler)
	defer server.Close()

	client, err := filesclient.New(server.URL, server.Client())
	if err != nil {
		panic(err)
	}
	film := strings.NewReader(strings.Repeat("film ", 1000))
	record, err := client.UploadLarge(context.Background(), filesclient.LargeFile{
		Name:     "film.mp4",
		Body:     film,
		Size:     film.Size(),
		PartSize: 1000,
		Purpose:  "trailers",
	})
	if err != nil {
		panic(err)
	}
	fmt.Println(record.OriginalFileName, record.MIMEType, record.OriginalLength, record.Purpose)
	// Output: film.mp4 video/mp4 5000 trailers
}
