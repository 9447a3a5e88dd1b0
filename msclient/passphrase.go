package msclient

import (
	"errors"

	"filippo.io/age"
)

// maxWorkFactor limits how much work a file can ask for: some seconds.
const maxWorkFactor = 20

// Passphrase is a Lock that seals the key under a passphrase, by scrypt. It is
// slow on purpose, once a run.
type Passphrase struct {
	Word       Secret
	WorkFactor int // as a power of two; 0 means age's default, about a second
}

func (p *Passphrase) open(_ string, file []byte) (Secret, error) {
	id, err := age.NewScryptIdentity(p.Word.Reveal())
	if err != nil {
		return Secret{}, ErrPassphrase // there is none
	}
	id.SetMaxWorkFactor(maxWorkFactor)
	key, err := decrypt(file, id)
	var other *age.NoIdentityMatchError
	switch {
	case errors.As(err, &other) && len(other.StanzaTypes) == 1 && other.StanzaTypes[0] == "scrypt":
		return Secret{}, ErrPassphrase
	case err != nil:
		return Secret{}, ErrDamaged
	}
	_, err = parseKey(key)
	return key, err
}

func (p *Passphrase) newKey(string) (Secret, []byte, error) {
	to, err := age.NewScryptRecipient(p.Word.Reveal())
	if err != nil {
		return Secret{}, nil, err
	}
	if p.WorkFactor > 0 {
		to.SetWorkFactor(p.WorkFactor)
	}
	key, err := newKey()
	if err != nil {
		return Secret{}, nil, err
	}
	file, err := encrypt(key, to)
	return key, file, err
}

// store has nothing to do: the key is in the file.
func (p *Passphrase) store(_ string, key Secret) (Secret, error) { return key, nil }
