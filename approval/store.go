package approval

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/astrid-go/astrid/principal"
)

// Write is one change of a batch: a nil Value deletes the key.
type Write struct {
	Key   string
	Value []byte
}

// Store is the durable namespace an inbox lives in.
type Store interface {
	// Write makes all changes durable or none.
	Write(ctx context.Context, changes []Write) error
	// Scan calls visit for each key and value that begins with prefix, in any order.
	Scan(ctx context.Context, prefix string, visit func(key string, value []byte) error) error
}

// Key prefixes, followed by the principal and an id.
const (
	questions  = "q/"
	allowances = "a/"
)

func questionKey(of principal.ID, id string) string  { return questions + of.String() + "/" + id }
func allowanceKey(of principal.ID, id string) string { return allowances + of.String() + "/" + id }

// recordVersion is the format of stored questions and allowances.
const recordVersion = 1

type storable interface{ key() string }

// questionRecord is a stored question. Covers is kept because the raw texts it was made from are not.
type questionRecord struct {
	Version int    `json:"v"`
	Covers  string `json:"covers"`
	Item    Item   `json:"item"`
}

func (r questionRecord) key() string { return questionKey(r.Item.Principal, r.Item.ID) }

// allowanceRecord is a stored allowance of scope Always.
type allowanceRecord struct {
	Version   int       `json:"v"`
	Allowance Allowance `json:"allowance"`
}

func (r allowanceRecord) key() string {
	return allowanceKey(r.Allowance.Question.Principal, r.Allowance.ID)
}

// save writes records in one batch.
func (b *Inbox) save(ctx context.Context, records ...storable) error {
	changes := make([]Write, len(records))
	for i, r := range records {
		value, err := json.Marshal(r)
		if err != nil {
			return fmt.Errorf("encode %s: %w", r.key(), err)
		}
		changes[i] = Write{Key: r.key(), Value: value}
	}
	return b.store.Write(ctx, changes)
}

// load fills the shelves from the store.
func (b *Inbox) load(ctx context.Context) error {
	err := b.store.Scan(ctx, questions, func(key string, value []byte) error {
		var r questionRecord
		if err := decode(key, value, &r); err != nil {
			return err
		}
		if err := checkRecord(key, r.key(), r.Version); err != nil {
			return err
		}
		b.shelf(r.Item.Principal).entries[r.Item.ID] = newEntry(r.Item, r.Covers)
		return nil
	})
	if err != nil {
		return err
	}
	return b.store.Scan(ctx, allowances, func(key string, value []byte) error {
		var r allowanceRecord
		if err := decode(key, value, &r); err != nil {
			return err
		}
		if err := checkRecord(key, r.key(), r.Version); err != nil {
			return err
		}
		if r.Allowance.Scope != Always {
			return fmt.Errorf("record %s holds an allowance of scope %q, only %q is stored", key, r.Allowance.Scope, Always)
		}
		b.shelf(r.Allowance.Question.Principal).allow(r.Allowance, 0)
		return nil
	})
}

// checkRecord refuses a record of another format, and one that sits under a key which is not its own.
func checkRecord(key, own string, version int) error {
	if version != recordVersion {
		return fmt.Errorf("record %s has version %d, this program reads %d; use the program that wrote it", key, version, recordVersion)
	}
	if own != key {
		return fmt.Errorf("record %s belongs under %s", key, own)
	}
	return nil
}

func decode(key string, value []byte, into any) error {
	d := json.NewDecoder(bytes.NewReader(value))
	d.DisallowUnknownFields()
	if err := d.Decode(into); err != nil {
		return fmt.Errorf("decode record %s: %w", strings.ToValidUTF8(key, "?"), err)
	}
	return nil
}
