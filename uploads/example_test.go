package uploads_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/memstore"
	"github.com/omnibucket/storage/uploads"
	"github.com/omnibucket/storage/uploads/rules"
)

func ExampleService_Store() {
	bucket := memstore.New(storage.WithPublicBaseURL("https://cdn.example.com"))
	service, err := uploads.New(bucket, uploads.Config{
		Key:  "users/{user}/avatars/{random}{ext}",
		Link: uploads.PublicLink,
	})
	if err != nil {
		panic(err)
	}
	result, err := service.Store(context.Background(), uploads.Upload{
		Body: strings.NewReader(newPNG()),
		Name: `C:\Users\Eva\me.jpg`, // shown, and used for nothing else
		User: uploads.User{ID: "42"},
	})
	if err != nil {
		panic(err)
	}
	random := regexp.MustCompile(`[a-z2-7]{26}`)
	fmt.Println(random.ReplaceAllString(result.Location, "RANDOM"))
	fmt.Println(result.Name, "is", result.ContentType)
	// Output:
	// https://cdn.example.com/users/42/avatars/RANDOM.png
	// me.jpg is image/png
}

func ExampleError() {
	service, err := uploads.New(memstore.New(), uploads.Config{Rules: rules.Rules{Types: []string{"image/jpeg", "image/png"}}})
	if err != nil {
		panic(err)
	}
	_, err = service.Store(context.Background(), uploads.Upload{
		Body:        strings.NewReader("<!doctype html><script>…"),
		Name:        "me.png",
		ClaimedType: "image/png",
	})
	if refusal, ok := errors.AsType[*uploads.Error](err); ok {
		fmt.Println(refusal.Code)
		fmt.Println(refusal.Name+":", refusal.Message)
	}
	// Output:
	// type_not_allowed
	// me.png: This file is not the PNG that it claims to be. Allowed: JPEG and PNG.
}

func ExampleService_Usage() {
	ctx := context.Background()
	service, err := uploads.New(memstore.New(), uploads.Config{
		Rules: rules.Any(0),
		Key:   "{user}/{random}",
		Allowance: func(context.Context, uploads.User) (uploads.Allowance, error) {
			return uploads.Allowance{Bytes: 10}, nil
		},
	})
	if err != nil {
		panic(err)
	}
	eva := uploads.User{ID: "eva"}
	for _, content := range []string{"1234567", "1234567"} {
		_, err := service.Store(ctx, uploads.Upload{Body: strings.NewReader(content), User: eva})
		fmt.Println(err)
	}
	usage, err := service.Usage(ctx, eva.ID)
	if err != nil {
		panic(err)
	}
	fmt.Println(usage.Bytes, "bytes in", usage.Files, "file")
	// Output:
	// <nil>
	// uploads: file: over_allowance: There is no room for this file: 7 bytes of 10 bytes are used.
	// 7 bytes in 1 file
}

func ExampleService() {
	service, err := uploads.New(memstore.New(), uploads.Config{
		Rules: rules.Images(5 << 20),
		Key:   "users/{user}/{random}{ext}",
		Authorize: func(r *http.Request) (uploads.User, error) {
			cookie, err := r.Cookie("session")
			if err != nil {
				return uploads.User{}, storage.Unauthenticated
			}
			return uploads.User{ID: userOf(cookie.Value)}, nil
		},
	})
	if err != nil {
		panic(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/uploads/", http.StripPrefix("/uploads", service))
	// Sessions are cookies here, and a form of another site would send them.
	_ = http.Server{Addr: ":8080", Handler: http.NewCrossOriginProtection().Handler(mux)}
}

func userOf(string) string { return "42" }
