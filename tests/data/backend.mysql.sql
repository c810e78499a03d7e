-- The back end of tests/data/backend.sql on MySQL or MariaDB, as config/sources.mysql.example.toml asks it: date-times are UTC.
CREATE TABLE location (id int PRIMARY KEY, obelis_id char(36), name text NOT NULL, opened_on date NOT NULL, closed_on date);
CREATE TABLE evse (id int PRIMARY KEY, location_id int NOT NULL, obelis_id char(36), evse_id text NOT NULL,
                   opened_on date NOT NULL, closed_on date);
CREATE TABLE roaming_partner (country_code char(2) NOT NULL, party_id char(3) NOT NULL, contract text NOT NULL,
                              gross_ct_per_kwh decimal(6, 2) NOT NULL, reason text, active_from date NOT NULL, active_to date);
CREATE TABLE phone_call (started_at datetime NOT NULL, answered_at datetime, solved_at_once boolean, grade int);
CREATE TABLE review (evse_id int NOT NULL, grade int NOT NULL, given_at datetime NOT NULL);
CREATE TABLE complaint (evse_id int NOT NULL, received_at datetime NOT NULL);
CREATE TABLE tariff (location_id int NOT NULL, gross_ct_per_kwh decimal(6, 2) NOT NULL,
                     blocking_ct_per_minute int NOT NULL DEFAULT 0, valid_from date NOT NULL, valid_to date);

INSERT INTO location VALUES (1, '191e7db7-1bea-44db-9e52-2ddab118d699', 'Bürgerplatz', '2024-02-01', NULL),
                            (2, NULL, 'not registered yet', '2026-10-20', NULL);
INSERT INTO evse VALUES (1, 1, '2a2e7db7-1bea-44db-9e52-2ddab118d699', 'DE*ABC*E1', '2024-02-01', NULL),
                        (2, 1, '3a2e7db7-1bea-44db-9e52-2ddab118d699', 'DE*ABC*E2', '2024-02-01', NULL);
INSERT INTO roaming_partner VALUES ('DE', 'VFL', 'roaming', 45.00, NULL, '2024-01-01', NULL),
                                   ('DE', 'OLD', 'direct', 40.00, NULL, '2023-01-01', '2024-01-01');
-- Of October in Berlin are the calls from 30 September, 22:00 UTC, to before 31 October, 23:00 UTC.
INSERT INTO phone_call VALUES ('2026-09-30 21:59:59', '2026-09-30 22:09:00', false, 6),
                              ('2026-09-30 22:00:00', '2026-09-30 22:00:10', true, 1),
                              ('2026-10-15 12:00:00', '2026-10-15 12:00:15', false, 2),
                              ('2026-10-31 22:59:59', NULL, NULL, NULL),
                              ('2026-10-31 23:00:00', '2026-10-31 23:09:00', false, 6);
INSERT INTO review VALUES (1, 2, '2026-10-01 08:00'), (1, 3, '2026-10-31 22:59:59'), (1, 6, '2026-10-31 23:00:00');
INSERT INTO complaint VALUES (2, '2026-10-31 22:59:59'), (2, '2026-10-31 23:00:00');
INSERT INTO tariff VALUES (1, 59.00, 10, '2024-02-01', '2026-10-14'), (1, 61.00, 0, '2026-10-15', NULL);
