package storage_test

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/memstore"
)

// A signed URL lets anyone store one object, with one type and at most one hour from now. Send
// it to a browser as JSON: it has the URL, the method and the headers to send.
func ExampleSignedURL() {
	ctx := context.Background()
	bucket := memstore.New(storage.WithSigningBaseURL("https://files.example.com")) // serve.NewHandler answers there; a cloud signs its own
	signedURL, err := bucket.SignedUploadURL(ctx, "avatars/42.png",
		storage.WithContentType("image/png"), storage.WithTTL(time.Hour))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(signedURL.Method, signedURL.Header.Get("Content-Type"))
	fmt.Println(signedURL) // a log shows no signature
	// Output:
	// PUT image/png
	// PUT https://files.example.com/avatars/42.png?REDACTED
}

// A link shows a report in the browser, and gives it a name there.
func ExampleWithInlineName() {
	ctx := context.Background()
	bucket := memstore.New(storage.WithSigningBaseURL("https://files.example.com"))
	signedURL, err := bucket.SignedDownloadURL(ctx, "reports/7f3a",
		storage.WithInlineName("Übersicht.pdf"), storage.WithResponseContentType("application/pdf"))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(signedURL.Method)
	// Output: GET
}

// A form lets a browser send a file of 1 byte to 5 MiB without any script.
func ExampleSignedUploadForm() {
	ctx := context.Background()
	bucket := memstore.New(storage.WithSigningBaseURL("https://files.example.com"))
	form, err := storage.SignedUploadForm(ctx, bucket, "avatars/42.png", 1, 5<<20, storage.WithContentType("image/png"))
	if errors.Is(err, storage.Unsupported) { // Azure and R2 have no forms
		return
	}
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("<form action=%q method=post enctype=multipart/form-data>\n", form.URL)
	fmt.Println(form.Fields["key"]) // each field becomes an <input type=hidden>
	// Output:
	// <form action="https://files.example.com/" method=post enctype=multipart/form-data>
	// avatars/42.png
}

// Every replica of a program returns the same link for an hour, so that a browser loads a private picture once.
func ExampleWithStableFor() {
	ctx := context.Background()
	bucket := memstore.New(storage.WithSigningBaseURL("https://files.example.com"))
	signedURL, err := bucket.SignedDownloadURL(ctx, "avatars/42.png",
		storage.WithStableFor(time.Hour), storage.WithTTL(10*time.Minute))
	if errors.Is(err, storage.Unsupported) { // the credentials are temporary
		return
	}
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(time.Until(signedURL.ExpiresAt) > 9*time.Minute, time.Until(signedURL.ExpiresAt) <= 70*time.Minute)
	// Output: true true
}

// A link lets its holder remove one object, such as an export that was sent by e-mail.
func ExampleSignedRemoveURL() {
	ctx := context.Background()
	bucket := memstore.New(storage.WithSigningBaseURL("https://files.example.com"))
	signedURL, err := storage.SignedRemoveURL(ctx, bucket, "exports/42.zip", storage.WithTTL(24*time.Hour))
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(signedURL.Method)
	// Output: DELETE
}
