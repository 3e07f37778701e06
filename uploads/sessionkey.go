package uploads

import (
	"maps"

	"github.com/omnibucket/storage/uploads/internal/filename"
	"github.com/omnibucket/storage/uploads/internal/keypattern"
	"github.com/omnibucket/storage/uploads/internal/session"
)

// userOf returns the user to whom a session belongs.
func userOf(s *session.Session) User { return User{ID: s.User, Values: s.Values} }

// fileOf returns the File of a session, as the functions of Config get it.
func fileOf(s *session.Session) *File {
	return &File{
		User:        userOf(s),
		Key:         s.Target.Key,
		Name:        filename.Clean(s.Name),
		ClaimedName: s.Name,
		ClaimedType: s.Type,
		Metadata:    maps.Clone(s.Metadata),
		Size:        s.Size,
		ContentType: s.Target.ContentType,
		Location:    s.URL(),
		lifetime:    s.Target.Lifetime,
		reserved:    s.Reservation(),
	}
}

// keyOf returns the key for the time and the random bits of a session, with this extension.
func (s *setup) keyOf(state *session.Session, extension string) string {
	return s.pattern.Key(userOf(state).values(), state.Begun, keypattern.Random(state.Random), extension)
}

// possibleKeys returns all keys that the file of a session may get. There are several if the content
// decides the extension.
func (s *setup) possibleKeys(state *session.Session) (keys []string) {
	if state.Random == nil || state.Target.Key != "" {
		return []string{state.Target.Key}
	}
	for _, extension := range s.judge.Extensions() {
		keys = append(keys, s.keyOf(state, extension))
	}
	return keys
}

// stem returns the key of a session's file, without the extension.
func (s *setup) stem(state *session.Session) string {
	key := state.Target.Key
	if state.Random != nil && key == "" {
		// The extension is not known before the content has arrived.
		key = s.keyOf(state, "")
	}
	return s.pattern.Stem(key)
}

// isStaged reports whether the content is first stored below Config.Prefix, to be checked there.
func (s *setup) isStaged(kind string) bool {
	return kind == session.KindPartial || s.config.Inspect != nil || s.judge.LooksAtContent()
}
