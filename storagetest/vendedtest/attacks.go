package vendedtest

import (
	"strings"
	"testing"
	"time"

	"github.com/omnibucket/storage"
)

// callOn returns an attempt that makes the named call with a key outside of the credentials'
// prefix.
func callOn(call, key string) attempt {
	return attempt{
		name: "a " + call + " of " + key,
		try: func(t *testing.T, _ Store, _ *storage.VendedCredentials, client storage.Bucket) error {
			return calls[call](t.Context(), client, key)
		},
	}
}

// attack returns an attempt that needs only the client's bucket.
func attack(name string, try func(t *testing.T, client storage.Bucket) error) attempt {
	return attempt{
		name: name,
		try: func(t *testing.T, _ Store, _ *storage.VendedCredentials, client storage.Bucket) error {
			return try(t, client)
		},
	}
}

// listing returns an attempt to list more than the credentials permit.
func listing(name string, o ...storage.ListOption) attempt {
	return attack(name, func(t *testing.T, client storage.Bucket) error { return listAll(t.Context(), client, o...) })
}

// forged returns an attempt to read with credentials in which one character of a field is changed. name
// is that of the field, for messages, and field returns its address.
func forged(name string, field func(v *storage.VendedCredentials) *string) attempt {
	return attempt{
		name: "a changed " + name,
		try: func(t *testing.T, s Store, v *storage.VendedCredentials, _ storage.Bucket) error {
			altered := *v
			secret := field(&altered)
			if *secret == "" {
				t.Skip("these credentials have none")
			}
			*secret = replaceMiddle(*secret)

			return calls["read"](t.Context(), s.client(t, &altered), "users/1/a")
		},
	}
}

// replaceMiddle returns text with its middle character replaced by another one.
func replaceMiddle(text string) string {
	middle := len(text) / 2
	replacement := "A"
	if text[middle] == 'A' {
		replacement = "B"
	}
	return text[:middle] + replacement + text[middle+1:]
}

var attacks = []attempt{
	callOn("read", "users/10/a"), callOn("write", "users/10/a"),
	callOn("remove", "users/10/a"), callOn("list", "users/10/a"),
	callOn("read", "root"), callOn("write", "root"), callOn("remove", "root"),
	callOn("read", "users/1"), callOn("write", "users/1"), callOn("remove", "users/1"),
	callOn("read", "users/1/../10/a"), callOn("write", "users/1/../10/a"), callOn("remove", "users/1/../10/a"),
	callOn("read", "users/1//../10/a"), callOn("write", "users/1*"), callOn("read", "Users/1/a"),

	listing("a listing of the root"),
	listing("a listing of the root's folders", storage.WithDelimiter("/")),
	listing("a listing of the parent", storage.WithPrefix("users/")),
	listing("a listing of the prefix without its slash", storage.WithPrefix("users/1")),
	listing("a listing of a part of the prefix", storage.WithPrefix("use")),
	listing("a listing with a wildcard", storage.WithPrefix("users/*")),

	attack("a copy out of the prefix", func(t *testing.T, client storage.Bucket) error {
		_, err := storage.Copy(t.Context(), client, "stolen", client, "users/1/a")
		return err
	}),
	attack("a copy from outside", func(t *testing.T, client storage.Bucket) error {
		_, err := storage.Copy(t.Context(), client, "users/1/stolen", client, "users/10/a")
		return err
	}),
	attack("a move out of the prefix", func(t *testing.T, client storage.Bucket) error {
		_, err := storage.Move(t.Context(), client, "users/1/a", "users/10/b")
		return err
	}),
	attack("a move from outside", func(t *testing.T, client storage.Bucket) error {
		_, err := storage.Move(t.Context(), client, "users/10/a", "users/1/stolen")
		return err
	}),
	attack("an object composed of a neighbour's", func(t *testing.T, client storage.Bucket) error {
		_, err := storage.Compose(t.Context(), client, "users/1/stolen", []string{"users/1/a", "users/10/a"})
		return err
	}),
	attack("reading tags", func(t *testing.T, client storage.Bucket) error {
		_, err := storage.Tags(t.Context(), client, "users/1/a")
		return err
	}),
	attack("setting tags", func(t *testing.T, client storage.Bucket) error {
		return storage.SetTags(t.Context(), client, "users/1/a", map[string]string{"k": "v"})
	}),
	attack("an upload with tags", func(t *testing.T, client storage.Bucket) error {
		tags := storage.WithTags(map[string]string{"k": "v"})
		_, err := client.Upload(t.Context(), "users/1/tagged", strings.NewReader("x"), tags)
		return err
	}),
	attack("a public upload", func(t *testing.T, client storage.Bucket) error {
		_, err := client.Upload(t.Context(), "users/1/public", strings.NewReader("x"), storage.WithPublicRead())
		return err
	}),
	attack("a legal hold", func(t *testing.T, client storage.Bucket) error {
		return storage.SetLegalHold(t.Context(), client, "users/1/a", true)
	}),
	attack("listing versions", func(t *testing.T, client storage.Bucket) error {
		for _, err := range storage.Versions(t.Context(), client, storage.WithPrefix(ownPrefix)) {
			return err
		}
		return storage.PermissionDenied // an empty listing shows nothing, so it counts as a refusal
	}),
	attack("listing uploads in progress", func(t *testing.T, client storage.Bucket) error {
		for _, err := range storage.ListUploads(t.Context(), client) {
			return err
		}
		return storage.PermissionDenied // an empty listing shows nothing, so it counts as a refusal
	}),
	attack("vending again", func(t *testing.T, client storage.Bucket) error {
		_, err := storage.Vend(t.Context(), client, "", allRights, time.Hour)
		return err
	}),
	{"parts for the upload of a neighbour", func(
		t *testing.T, s Store, _ *storage.VendedCredentials, client storage.Bucket,
	) error {
		upload, err := storage.BeginUpload(t.Context(), s.Program, "users/10/upload")
		if err != nil {
			return err // Unsupported
		}
		u, err := storage.ContinueUpload(t.Context(), client, upload.Token())
		if err != nil {
			return err
		}
		_, err = u.PutPart(t.Context(), 1, strings.NewReader("x"))
		return err
	}},
	{"ending the upload of a neighbour", func(
		t *testing.T, s Store, _ *storage.VendedCredentials, client storage.Bucket,
	) error {
		upload, err := storage.BeginUpload(t.Context(), s.Program, "users/10/upload")
		if err != nil {
			return err // Unsupported
		}
		u, err := storage.ContinueUpload(t.Context(), client, upload.Token())
		if err != nil {
			return err
		}
		return u.Abort(t.Context())
	}},
	{"credentials for another prefix", func(
		t *testing.T, s Store, _ *storage.VendedCredentials, _ storage.Bucket,
	) error {
		return calls["read"](t.Context(), s.client(t, s.vend(t, "users/10/")), "users/1/a")
	}},
	forged("access key", func(v *storage.VendedCredentials) *string { return &v.AccessKeyID }),
	forged("secret key", func(v *storage.VendedCredentials) *string { return &v.SecretKey }),
	forged("session token", func(v *storage.VendedCredentials) *string { return &v.SessionToken }),
	forged("token", func(v *storage.VendedCredentials) *string { return &v.Token }),
	{"the temporary key without its token", func(
		t *testing.T, s Store, v *storage.VendedCredentials, _ storage.Bucket,
	) error {
		bare := *v
		bare.SessionToken = ""
		bare.Token = ""
		return calls["read"](t.Context(), s.client(t, &bare), "users/1/a")
	}},
}
