package uploads

import (
	"errors"
	"io"
	"math"
	"net/http"

	"github.com/omnibucket/storage"
	"github.com/omnibucket/storage/uploads/internal/intake"
	"github.com/omnibucket/storage/uploads/internal/refusal"
)

// formOverhead is how many bytes a form may have outside its files: other fields, boundaries and
// headers.
const formOverhead = 1 << 20

// storeForm stores all files of a form, or none of them if one is refused.
func (s *Service) storeForm(c *intake.Call) error {
	// Take memory for reading the form, and for the bucket to buffer one file.
	release, err := c.Share(min(intake.FileHeld, s.setup.judge.Rules().MaxSize))
	if err != nil {
		return err
	}
	defer release()

	// Read the files from the body of the request.
	body := http.MaxBytesReader(c.W, intake.Body(c.W, c.Request), s.maxBody())
	reader, err := intake.NewFormReader(c, body, "", formOverhead)
	if err != nil {
		return err
	}

	// The lease keeps the reservations of the files until the upload of all has ended or is rolled back.
	fm := &form{length: c.ContentLength, lease: s.counter.newLease(c.User.ID)}
	defer fm.lease.end()
	if err := s.storeOrRollBack(c, reader, fm); err != nil {
		return err
	}
	return s.endForm(c, fm)
}

// storeOrRollBack stores the files of a form. If that fails, even by a panic in a function of the application, it
// rolls back those that are stored.
func (s *Service) storeOrRollBack(c *intake.Call, reader *intake.FormReader, fm *form) error {
	areStored := false // stays false after a panic
	defer func() {
		if !areStored {
			s.rollBackForm(c, fm)
		}
	}()
	if err := s.storeParts(c, reader, fm); err != nil {
		return err
	}
	areStored = true
	return nil
}

// endForm ends the uploads of all stored files of a form, and responds with a list of them. If the application
// panics or may have recorded a file, the files stay. After any other failure, endForm rolls all of them back.
func (s *Service) endForm(c *intake.Call, fm *form) error {
	for _, f := range fm.stored {
		err := s.files.end(c.Context(), f)
		if err != nil {
			mayBeRecorded := errors.Is(err, storage.OutcomeUnknown)
			if !mayBeRecorded {
				s.rollBackForm(c, fm)
			}
			return err
		}
	}

	err := c.JSON(http.StatusCreated, map[string]any{"files": fm.stored})
	if err != nil {
		s.rollBackForm(c, fm)
	}
	return err
}

// rollBackForm rolls back all files of a form that are stored.
func (s *Service) rollBackForm(c *intake.Call, fm *form) {
	for _, f := range fm.stored {
		s.files.rollBack(c.Context(), f)
	}
}

// storeParts stores the files of a form, and adds them to fm. It fails if there are too many files or none.
func (s *Service) storeParts(c *intake.Call, reader *intake.FormReader, fm *form) error {
	for {
		part, err := reader.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			return err
		}
		if len(fm.stored) == s.setup.config.MaxFiles {
			return refusal.OfFile(refusal.CodeTooManyFiles, "There are too many files: send fewer at once.")
		}
		f, err := s.storePart(c.Context(), part, User(c.User), fm)
		if err != nil {
			return err
		}
		fm.stored = append(fm.stored, f)
	}
	if len(fm.stored) == 0 {
		return refusal.NoFile()
	}
	return nil
}

// maxBody returns how many bytes a form may have.
func (s *Service) maxBody() int64 {
	files := int64(s.setup.config.MaxFiles)
	maxFile := s.setup.judge.Rules().MaxSize
	if maxFile > (math.MaxInt64-formOverhead)/files {
		return math.MaxInt64
	}
	return files*maxFile + formOverhead
}
