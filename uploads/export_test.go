package uploads

// SetBasePart makes the parts of a service smaller.
func (s *Service) SetBasePart(bytes int64) { s.keeper.basePart = bytes }

// StoreToken returns the token of the store that a ticket in parts has.
func (s *Service) StoreToken(token string, u User) (string, error) {
	t, e := s.tokens.decode(token, u.values())
	if e != nil {
		return "", e
	}
	return t.upload, nil
}
