package uploads

import (
	"maps"
	"time"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/uploads/internal/keypattern"
)

// A User is the owner of files. The application determines the user from the session or token of
// the request. The client cannot choose it.
type User struct {
	// ID replaces {user} in Config.Key. Even if Config.Key has no {user}, an upload belongs to the
	// user with this ID. With Config.Records, the ID has at most 2,048 bytes.
	//
	// If Config.Key has {user}, the ID must have 1 to 128 letters, digits, "-", "_" and ".", and
	// must not begin or end with ".". So an e-mail address is not a valid ID there. If Config.Key
	// has no {user}, the ID may be any valid UTF-8 without NUL. An invalid ID fails with
	// InvalidValue. The client then gets 500, and Config.OnError receives the error.
	ID string
	// Values has the values for the names in Config.Key that the application has invented. For
	// example, Values["tenant"] replaces {tenant}. Each value must have 1 to 128 letters, digits,
	// "-", "_" and ".", and must not begin or end with ".". An invalid value fails with
	// InvalidValue.
	Values map[string]string
}

// values returns the values that replace names in braces in a key pattern. The ID of the user replaces
// {user}.
func (u User) values() map[string]string {
	v := map[string]string{}
	maps.Copy(v, u.Values)
	if u.ID != "" {
		v[keypattern.User] = u.ID
	}
	return v
}

// A Request is what a client says about a file that it wants to upload. Nothing in it is verified.
type Request struct {
	Name     string            // name of the file; "" if it is unknown
	Type     string            // media type of the file; "" if it is unknown
	Size     int64             // bytes; -1 if it is unknown
	Metadata map[string]string // everything else that the client says about the file
	// Partial is true for a piece of a file that is joined later (tus concatenation). Key of the
	// Target is then ignored. Begin is called again for the whole file.
	Partial bool
}

// A Target says where and how a file is stored. Config.Rules also apply to a file with a Target.
// If the rules are [rules.Any] and Config.Inspect is nil, the content is not checked, and the bytes
// are stored under Key immediately.
//
// If the bucket lacks a feature that the Target needs, the upload is refused with 501 before it
// begins. If no object can have the attributes of the Target, the upload is refused with 500. In
// both cases, Config.OnError receives the error.
type Target struct {
	// Key is the key of the file. If no object can have this key, the upload is refused before it
	// begins, with 400 and the code [InvalidValue] for the file's name. That happens if the key
	// contains the name that the client gave the file, and this name has a backslash or "..".
	Key string
	// ContentType is the media type. If it is "" and Rules look at the content, they detect the
	// type. If it is "" and Rules do not look, the extension of the key decides, or else the
	// extension of the name. If there is no known extension, the type is application/octet-stream.
	// Never use the type that the client claims without a check: a browser runs text/html.
	ContentType        string
	CacheControl       string
	ContentDisposition string
	Metadata           map[string]string
	Tags               map[string]string
	MaxSize            int64 // largest size of the file in bytes; 0 means the limit of Rules
	// Overwrite lets the file replace an object with the same Key. Without Overwrite, the upload
	// fails if an object with this Key exists. The bucket then needs [storage.ConditionalCreate].
	//
	// A bucket without [storage.Metadata] has one more limit. If the store's response to a write
	// is lost, the next attempt cannot recognize the object of that write. Without Overwrite, the
	// upload then fails.
	Overwrite bool
	// PublicRead lets anyone read the file ([storage.WithPublicRead]).
	PublicRead bool
	// Lifetime is how long the file is kept. After this time, [Service.Sweep] removes the file. The
	// lifetime begins at the time in the file's ID, which comes from Config.Now. Lifetime needs
	// Config.Records. If Lifetime is 0, Config.Lifetime is used.
	Lifetime time.Duration `json:",omitzero"`
}

// A File is a stored file, or a file that is being stored.
type File struct {
	User User   `json:"-"`
	ID   string `json:"id,omitempty"` // ID of the record; "" if Config.Records is nil
	Key  string `json:"key"`
	// Location is the URL that Config.Link asks for. Config.Stored may set another one.
	Location    string         `json:"location,omitempty"`
	ExpiresAt   time.Time      `json:"expiresAt,omitzero"` // when Location expires, if it is a signed URL
	Name        string         `json:"name"`               // name as CleanName returns it; escape it in HTML
	Size        int64          `json:"size"`               // bytes
	ContentType string         `json:"type"`               // media type, usually detected from the content
	Width       int            `json:"width,omitempty"`    // pixels; 0 if the file is not a picture
	Height      int            `json:"height,omitempty"`
	CRC32C      storage.CRC32C `json:"crc32c,omitzero"` // checksum of all bytes; unknown if the store has none
	// Purpose is a category that the application chooses, and that the record stores. Initially it
	// is Metadata["purpose"], if that is a valid label of at most 256 characters.
	Purpose string    `json:"purpose,omitempty"`
	Expires time.Time `json:"expires,omitzero"` // when the file expires; zero means never
	// by the store's clock, or by this machine's if the store returns no time (S3)
	Modified time.Time `json:"modified,omitzero"`

	ClaimedName string            `json:"-"` // the client's name for the file
	ClaimedType string            `json:"-"` // the type that the client claims
	Metadata    map[string]string `json:"-"` // the metadata that the client sent
	Attrs       *storage.Attrs    `json:"-"` // attributes of the object; nil in Inspect

	lifetime time.Duration // Lifetime of the file's Target
	reserved string        // name of the file's reservation; "" if it has none
	ledger   string        // ID of the ledger with the reservation; "" if it is not known
	origin   origin        // what the call knows of other calls that end the upload
	stage    stage         // how far this call has brought the end of the upload
}
